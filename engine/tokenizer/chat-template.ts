/** A checkpoint's chat template, rendered so that what people wrote stays apart from what the template says. */
import { randomBytes } from "node:crypto";
import { Template } from "@huggingface/jinja";
import type { ChatMessage } from "../types.ts";

/** A stretch of a rendered conversation: the template's own text, or the content of one message. */
export interface ChatPiece {
  from: "template" | "message";
  text: string;
}

export type ChatTemplate = (messages: readonly ChatMessage[]) => ChatPiece[];

/**
 * The template sees an unguessable placeholder in place of each content, so nothing that a message says can pass for
 * template text. Ends with the prompt for the assistant's turn.
 *
 * @param names such as bos_token and eos_token, as templates refer to them
 * @throws Error with the template's own words where it refuses a conversation
 */
export function chatTemplate(source: string, names: Readonly<Record<string, string>>): ChatTemplate {
  const template = new Template(source);
  return (messages) => {
    const mark = randomBytes(16).toString("hex");
    const rendered = template.render({
      ...names,
      messages: messages.map(({ role }, index) => ({ role, content: `[${mark}:${index}]` })),
      add_generation_prompt: true,
    });
    // Splitting at a pattern with a group gives template text and message numbers in turn.
    return rendered
      .split(new RegExp(`\\[${mark}:(\\d+)\\]`))
      .map(
        (part, index): ChatPiece =>
          index % 2 === 0
            ? { from: "template", text: part }
            : { from: "message", text: messages[Number(part)]?.content ?? "" },
      )
      .filter(({ text }) => text !== "");
  };
}
