import { constants, getPriority, setPriority } from "node:os";

/** Chats come first. Who started us may have lowered it further, and going back up is forbidden. */
export function lowerPriority(): void {
  const { PRIORITY_LOW } = constants.priority;
  if (getPriority() < PRIORITY_LOW) setPriority(PRIORITY_LOW);
}
