/** Where a checkpoint's chat template comes from: its own files, or what its kind of model was trained on. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CheckpointError } from "../types.ts";

export interface TemplateSource {
  template: string;
  /** A file's name, or `built in for ...`. */
  from: string;
}

/** Turns marked by words: `user`, `assistant` and what stands between content and the next turn. */
function wordedTemplate(user: string, assistant: string, answer: string): string {
  return [
    "{%- for message in messages -%}",
    `{%- if message['role'] == 'user' -%}{{- ${JSON.stringify(user)} + message['content'] + "\\n" -}}`,
    `{%- elif message['role'] == 'assistant' -%}{{- ${JSON.stringify(assistant)} + message['content'] + "\\n" -}}`,
    `{%- else -%}{{- message['content'] + "\\n" -}}{%- endif -%}`,
    "{%- endfor -%}",
    `{%- if add_generation_prompt -%}{{- ${JSON.stringify(answer)} -}}{%- endif -%}`,
  ].join("");
}

/** By config.json's `model_type`, for checkpoints older than chat templates; the form is of their model cards. */
const builtIn: Readonly<Record<string, string>> = {
  // RedPajama-INCITE-Chat; the space after the colon belongs to the reply's first token.
  gpt_neox: wordedTemplate("<human>: ", "<bot>: ", "<bot>:"),
  falcon: wordedTemplate("### Question:\n", "### Answer:\n", "### Answer:\n"),
};

/** tokenizer_config.json may hold one template, or several of which one is the default. */
function templateOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  const named = value.find((entry): entry is { name: string; template: string } => entry?.name === "default");
  return typeof named?.template === "string" ? named.template : undefined;
}

/**
 * chat_template.jinja in the folder wins, so that anybody can put a better one there.
 * @param config of tokenizer_config.json
 * @throws CheckpointError saying where to put a template, where there is none
 */
export function findChatTemplate(
  folder: string,
  config: Readonly<Record<string, unknown>>,
  modelType: unknown,
): TemplateSource {
  const beside = join(folder, "chat_template.jinja");
  if (existsSync(beside)) return { template: readFileSync(beside, "utf8"), from: "chat_template.jinja" };
  const own = templateOf(config.chat_template);
  if (own !== undefined) return { template: own, from: "tokenizer_config.json" };
  const known = typeof modelType === "string" && Object.hasOwn(builtIn, modelType) ? builtIn[modelType] : undefined;
  if (known !== undefined) return { template: known, from: `built in for ${modelType}` };
  throw new CheckpointError(
    `${join(folder, "tokenizer_config.json")}: has no chat_template, and none is built in for model_type ` +
      `${JSON.stringify(modelType)}; put the model's own into ${beside}`,
  );
}
