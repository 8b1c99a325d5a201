/** What an engine is good at: few replies that people read along, or many that nobody waits for. */
export type Goal = "latency" | "throughput";

/**
 * How each goal is come to.
 * chunkBeside: tokens of prompts read between two tokens of those who speak.
 * scoredBeside: the same of a sequence to be scored. Nobody waits for it, and each of its tokens brings logits to be
 * worked out, copied and summed.
 * spin: threads spin within a reply's steps and some milliseconds after, instead of sleeping. Beside work that goes first,
 * spinning uses up the little time there is.
 */
export const meansTo: Readonly<Record<Goal, { chunkBeside: number; scoredBeside: number; spin: boolean }>> = {
  latency: { chunkBeside: 48, scoredBeside: 12, spin: true },
  throughput: { chunkBeside: 512, scoredBeside: 512, spin: false },
};
