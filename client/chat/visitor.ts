/** Who this browser is to the server: a random name, kept beside the conversations that it owns there. */
import { newId } from "./new-id.ts";

const name = "rejoinder.visitor";

export function visitorOf(storage: Storage): string {
  const known = storage.getItem(name);
  if (known) return known;
  const visitor = newId();
  try {
    storage.setItem(name, visitor);
  } catch {
    // Storage is full: the conversations of this visit cannot be kept either.
  }
  return visitor;
}
