import { constants, getPriority, setPriority } from "node:os";

/**
 * Chats come first: beside one that never pauses, about a tenth of the processor is left; with the lowest priority of all
 * it would be about a hundredth. Who started us may have gone lower, and going back up is forbidden.
 */
export function lowerPriority(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
}
