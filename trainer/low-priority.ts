import { constants, getPriority, setPriority } from "node:os";

/**
 * Chats come first: beside one that never pauses, a tenth of the processor is left. With the lowest priority of all it
 * would be a hundredth, and a gate would take an hour. Who started us may have gone lower, and going back up is forbidden.
 */
export function lowerPriority(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  if (getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
}
