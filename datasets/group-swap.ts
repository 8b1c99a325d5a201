/**
 * The same message and reply about another group: counterfactual data augmentation (Lu et al. 2020, "Gender bias in
 * neural natural language processing"). A small model learns from it to take the group from the message.
 */
import { replacementGroups, specificWords, swappedGroups } from "./group-words.ts";

export interface MessageAndReply {
  message: string;
  reply: string;
}

const anyGroup = new RegExp(`\\b(?:${swappedGroups.join("|")})\\b`, "gi");
const specific = new RegExp(`\\b(?:${specificWords.join("|")})\\b`, "i");
const exactly = (group: string) => new RegExp(`\\b${group}\\b`, "gi");

/**
 * The one group, in lower case, that both texts are about as far as they are about any, and whose name can be exchanged:
 * the message names it, and neither text says anything that holds for that group alone. Null where there is none.
 */
export function swappableGroup({ message, reply }: MessageAndReply): string | null {
  const named = new Set([...`${message} ${reply}`.matchAll(anyGroup)].map(([name]) => name.toLowerCase()));
  const [group] = named;
  if (group === undefined || named.size > 1 || !exactly(group).test(message)) return null;
  return specific.test(`${message} ${reply}`.replace(exactly(group), "")) ? null : group;
}

/** Both texts about `replacement` instead of `group`, as a plural noun each; capitalized where a sentence begins. */
export function swapGroup({ message, reply }: MessageAndReply, group: string, replacement: string): MessageAndReply {
  const swap = (text: string) =>
    text.replace(exactly(group), (_, at: number) => {
      const before = text.slice(0, at).trimEnd();
      const isBeginning = before === "" || /[.!?"']$/.test(before);
      return isBeginning ? replacement.charAt(0).toUpperCase() + replacement.slice(1) : replacement;
    });
  return { message: swap(message), reply: swap(reply) };
}

/** @param draw in [0, 1) */
export function drawGroup(draw: number): string {
  return replacementGroups[Math.floor(draw * replacementGroups.length)] as string;
}
