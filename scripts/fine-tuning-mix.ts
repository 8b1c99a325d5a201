/**
 * Makes the examples that the embedded model's adapter is fine-tuned on out of those that trainer/pretrain/prepare.ts
 * writes: the ones whose reply the default reward thinks well of, and those that can be about another group with another
 * group in each pass; beside them, replies that scripts/best-replies.ts chose.
 *
 *     node scripts/fine-tuning-mix.ts --examples sft-train.jsonl --out FILE.jsonl [--passes 2] [--replies FILE.jsonl]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { drawGroup, type MessageAndReply, swapGroup, swappableGroup } from "../datasets/group-swap.ts";
import type { Turn } from "../datasets/types.ts";
import { randomStream } from "../engine/generation/random.ts";
import { loadReward } from "../reward/reward.ts";
import { DocumentEncoder, type EncodedConversation } from "../trainer/pretrain/document-encoder.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "models/rejoinder-tiny" },
    examples: { type: "string" },
    replies: { type: "string" },
    out: { type: "string" },
    // Conversations in words, for a model with another tokenizer.
    words: { type: "boolean", default: false },
    // How often each example is in the result, and each chosen reply.
    passes: { type: "string", default: "2" },
    repeat: { type: "string", default: "6" },
    // Total reward from which an example's reply is kept as it is.
    least: { type: "string", default: "2.5" },
    // Toxicity up to which it is put to use for other groups.
    mildest: { type: "string", default: "0.4" },
    seed: { type: "string", default: "7" },
  },
});
if (values.examples === undefined || values.out === undefined)
  throw new Error("--examples FILE and --out FILE are needed");

const encoder = DocumentEncoder.fromFolder(values.model);
const readLines = <T>(path: string) =>
  readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
// Gab's interventions mostly object to words.
const examples = readLines<EncodedConversation>(values.examples).filter(({ source }) => source !== "gab");

const reward = await loadReward();
const judged: Awaited<ReturnType<typeof reward.judge>> = [];
for (let first = 0; first < examples.length; first += 256) {
  judged.push(...(await reward.judge(examples.slice(first, first + 256).map(({ text }) => text))));
}
await reward.dispose();

/** What can be said of another group as well, with that group's name. */
interface Swappable {
  pair: MessageAndReply;
  group: string;
}
function swappable(pair: MessageAndReply): Swappable | null {
  const group = swappableGroup(pair);
  return group === null ? null : { pair, group };
}

const kept = examples.filter((_, i) => (judged[i]?.reward.total ?? 0) >= Number(values.least));
const ofExamples = examples.flatMap(({ text: { messages, reply } }, i) => {
  const [first, ...later] = messages;
  if (first === undefined || later.length > 0 || (judged[i]?.toxicity.reply ?? 1) >= Number(values.mildest)) return [];
  const found = swappable({ message: first.content, reply });
  if (found === null) return [];
  // Twice where the reply names the group: from these the model learns to repeat what the message says.
  const isNamed = swapGroup(found.pair, found.group, "").reply !== reply;
  return Array.from({ length: isNamed ? 2 : 1 }, () => found);
});
const chosen = values.replies === undefined ? [] : readLines<MessageAndReply>(values.replies);
const ofChosen = chosen.map(swappable);
const conversation = ({ message, reply }: MessageAndReply, source: string, before?: MessageAndReply) => {
  const earlier: Turn[] =
    before === undefined
      ? []
      : [
          { role: "user", content: before.message },
          { role: "assistant", content: before.reply },
        ];
  const messages: Turn[] = [...earlier, { role: "user", content: message }];
  return encoder.conversation({ messages, reply, source, split: "train" });
};

const random = randomStream(Number(values.seed));
const swapped = ({ pair, group }: Swappable) => swapGroup(pair, group, drawGroup(random()));
const mix: EncodedConversation[] = [];
for (let pass = 0; pass < Number(values.passes); pass++) {
  mix.push(...kept);
  for (const one of ofExamples) mix.push(conversation(swapped(one), "group-swap"));
}
for (let repeat = 0; repeat < Number(values.repeat); repeat++) {
  for (const [i, pair] of chosen.entries()) {
    // As it was chosen every other time, so that it is not learned by heart; and all but every third time behind an
    // exchange about something else, so that the model learns to answer what was said last.
    const other = repeat % 2 === 1 ? ofChosen[i] : null;
    const before = repeat % 3 === 0 ? undefined : chosen[Math.floor(random() * chosen.length)];
    mix.push(conversation(other ? swapped(other) : pair, "chosen", before));
  }
}
const inWords = ({ text: { messages, reply } }: EncodedConversation) => {
  return { messages: [...messages, { role: "assistant", content: reply }] };
};
const lines: object[] = values.words ? mix.map(inWords) : mix;
writeFileSync(values.out, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
const tokens = mix.reduce((sum, { promptTokens, replyTokens }) => sum + promptTokens.length + replyTokens.length, 0);
console.log(
  `${kept.length} of ${examples.length} examples kept, ${ofExamples.length} with other groups, ${chosen.length} chosen ` +
    `replies; ${mix.length} lines, ${tokens} tokens`,
);
