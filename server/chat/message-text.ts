import { RequestError } from "../request-error.ts";

/**
 * Checks what a person wrote and returns it exactly as it is: role tags, control tokens and white space are text.
 * @throws RequestError `invalid_message`, `empty_message` or `message_too_long`
 */
export function checkMessageText(text: unknown, maxChars: number): string {
  if (typeof text !== "string") {
    throw new RequestError(
      400,
      "invalid_message",
      `The message must be text, got ${text === null ? "null" : typeof text}.`,
    );
  }
  if (text.trim() === "") throw new RequestError(400, "empty_message", "The message is empty.");
  if (text.length > maxChars) {
    throw new RequestError(
      400,
      "message_too_long",
      `The message has ${text.length} characters; at most ${maxChars} are taken.`,
    );
  }
  if (!text.isWellFormed()) {
    throw new RequestError(400, "invalid_message", "The message holds half of a surrogate pair, which is not text.");
  }
  return text;
}
