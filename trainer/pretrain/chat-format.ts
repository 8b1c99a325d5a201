/** How the embedded model sees a conversation. The order of the special tokens is their id. */
export const endOfText = "<|endoftext|>";
export const userTurn = "<|user|>";
export const assistantTurn = "<|assistant|>";
export const endOfTurn = "<|end|>";
export const specialTokens = [endOfText, userTurn, assistantTurn, endOfTurn] as const;

export const specialId = {
  endOfText: 0,
  user: 1,
  assistant: 2,
  endOfTurn: 3,
} as const;

/** Messages of other roles are left out: the model has never seen a system message. */
export const chatTemplate = [
  "{%- for message in messages -%}",
  "{%- if message['role'] == 'user' -%}",
  `{{- '${userTurn}' + message['content'] + '${endOfTurn}' -}}`,
  "{%- elif message['role'] == 'assistant' -%}",
  `{{- '${assistantTurn}' + message['content'] + '${endOfTurn}' -}}`,
  "{%- endif -%}",
  "{%- endfor -%}",
  `{%- if add_generation_prompt -%}{{- '${assistantTurn}' -}}{%- endif -%}`,
].join("");

/** The text without anything that the tokenizer would read as a special token, also none that the removal creates. */
export function withoutSpecialTokens(text: string): string {
  let stripped = text;
  for (;;) {
    const next = stripped.replace(/<\|(?:endoftext|user|assistant|end)\|>/g, "");
    if (next === stripped) return next;
    stripped = next;
  }
}
