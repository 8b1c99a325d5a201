/** What an engine is good at: few replies that people read along, or many that nobody waits for. */
export type Goal = "latency" | "throughput";

/**
 * How each goal is come to.
 * chunkBeside: tokens, of prompts or of a sequence to be scored, read between two tokens of those who speak.
 * spin: threads spin within a reply's steps and some milliseconds after, instead of sleeping. Beside work that goes first,
 * spinning uses up the little time there is.
 */
export const meansTo: Readonly<Record<Goal, { chunkBeside: number; spin: boolean }>> = {
  latency: { chunkBeside: 48, spin: true },
  throughput: { chunkBeside: 512, spin: false },
};
