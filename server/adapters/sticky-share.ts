import { createHash } from "node:crypto";

/**
 * Whether a conversation belongs to a share of all conversations. The same conversation under the same salt always gives
 * the same answer, and one that belongs to a share belongs to every larger one.
 * @param salt another salt, another draw
 * @param share 0..1
 */
export function isInShare(conversationId: string, salt: number, share: number): boolean {
  const hash = createHash("sha256").update(`${salt}:${conversationId}`).digest();
  return hash.readUInt32BE(0) / 2 ** 32 < share;
}
