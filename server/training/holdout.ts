import { createHash } from "node:crypto";

/**
 * Whether a conversation is kept out of training for ever, so that candidates can be asked what they were not taught.
 * It depends on its id alone: no order of runs and no growth of the log moves a conversation to the other side.
 *
 * @param share of the conversations that are held out, 0..1
 */
export function isHeldOut(conversationId: string, share: number): boolean {
  const hash = createHash("sha256").update(`holdout ${conversationId}`).digest();
  return hash.readUInt32BE(0) / 2 ** 32 < share;
}
