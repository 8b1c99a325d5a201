/** How near a reply is to the message that it answers. */
export interface Similarity {
  /** Hash of all that decides it. */
  readonly version: string;
  /** Cosine of the embeddings of message and reply, -1..1, one a pair, in order. 0 for a text without words. */
  ofPairs(pairs: readonly { prompt: string; reply: string }[]): Promise<number[]>;
  dispose(): Promise<void>;
}
