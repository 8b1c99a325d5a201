/**
 * Makes fine-tuning examples for any chat model: messages whose claim is known, each with one of the replies written for
 * that claim (datasets/written-replies). Of a claim's replies those are taken that the default reward thinks best after the
 * message.
 *
 *     node scripts/written-examples.ts --out FOLDER [--data DIR]
 *     npx rejoinder train sft --model MODEL --train FOLDER/train.jsonl --validation FOLDER/validation.jsonl
 *
 * Without --data the messages are those written for this project; DIR adds the labelled ones of the public data sets, laid
 * out as datasets/README.md says. One message in twenty is for validation only.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messagesToAnswer } from "../datasets/messages-to-answer.ts";
import { hashSplit } from "../datasets/split.ts";
import type { Turn } from "../datasets/types.ts";
import { type Claim, loadWrittenReplies, messageKey } from "../datasets/written-replies.ts";
import { randomStream } from "../engine/generation/random.ts";
import { loadReward } from "../reward/reward.ts";

const { values } = parseArgs({
  options: {
    replies: { type: "string", default: join(import.meta.dirname, "..", "datasets", "written-replies") },
    data: { type: "string" },
    out: { type: "string" },
    // How often the whole is gone through, with other replies and other words left out each time.
    passes: { type: "string", default: "2" },
    // Replies that a message may get, of those of its claim.
    best: { type: "string", default: "3" },
    // Examples of a claim in one pass: messages of rarer ones are repeated, of more frequent ones drawn.
    least: { type: "string", default: "100" },
    most: { type: "string", default: "250" },
    seed: { type: "string", default: "7" },
  },
});
if (values.out === undefined) throw new Error("--out FOLDER is needed");

interface Answerable {
  claim: string;
  text: string;
  isFollowUp: boolean;
  replies: string[];
}

const written = loadWrittenReplies(values.replies);
const claims = new Map(written.claims.map((claim) => [claim.claim, claim]));
const random = randomStream(Number(values.seed));
const draw = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;

/** Claims that only make sense after an answer. */
const isReaction = (claim: string) => claim.startsWith("fu.");
const groupOf = (claim: string) => claim.split(".", 1)[0] as string;

function collect(dataDir: string | undefined): Answerable[] {
  const found = new Map<string, Answerable>();
  const add = (claim: string, text: string, isFollowUp: boolean) => {
    const { replies } = claims.get(claim) as Claim;
    const key = messageKey(text);
    if (!found.has(key)) found.set(key, { claim, text, isFollowUp, replies });
  };
  for (const { claim, text } of written.messages) add(claim, text, isReaction(claim));
  for (const { text, isFollowUp } of dataDir === undefined ? [] : messagesToAnswer(dataDir)) {
    const claim = written.claimOfKey.get(messageKey(text));
    if (claim !== undefined) add(claim, text, isFollowUp);
  }
  return [...found.values()];
}

/** Leaves each message the `count` replies with the highest reward. */
async function keepBestReplies(messages: Answerable[], count: number): Promise<void> {
  const reward = await loadReward();
  for (let first = 0; first < messages.length; first += 128) {
    const part = messages.slice(first, first + 128);
    const pairs = part.flatMap(({ text, replies }) =>
      replies.map((reply) => ({ messages: [{ role: "user" as const, content: text }], reply })),
    );
    const judged = await reward.judge(pairs);
    let next = 0;
    for (const message of part) {
      const scored = message.replies.map((reply) => ({ reply, total: judged[next++]?.reward.total ?? 0 }));
      scored.sort((a, b) => b.total - a.total);
      message.replies = scored.slice(0, count).map(({ reply }) => reply);
    }
  }
  await reward.dispose();
}

/** The message as somebody else might have typed it: without capitals, without its last mark, without some of its words. */
function disturbed(text: string): string {
  const style = random();
  const typed = style < 0.15 ? text.toLowerCase() : style < 0.2 ? text.replace(/[.!?]+$/, "") : text;
  if (random() >= 0.35) return typed;
  const words = typed.split(" ");
  const left = words.filter(() => random() >= 0.15);
  return words.length > 5 && left.length >= 4 ? left.join(" ") : typed;
}

const messages = collect(values.data);
await keepBestReplies(messages, Number(values.best));
const isForValidation = ({ text }: Answerable) => hashSplit(text) === "validation";
// Earlier turns are of these as well, or validation messages would be seen in training with their replies.
const trained = messages.filter((message) => !isForValidation(message));
const prejudices = trained.filter(({ claim }) => !/^(?:fu|talk|ins|rant|self|crime|slang|news|other)\b/.test(claim));
const trainedOfGroup = Map.groupBy(trained, ({ claim }) => groupOf(claim));

/** What may have been said before a message: about the same group, or about anything. */
function before(message: Answerable, reply: string): Turn[] {
  const isBehind = isReaction(message.claim) || random() < (message.isFollowUp ? 0.5 : 0.3);
  if (!isBehind) return [];
  const sameGroup = trainedOfGroup.get(groupOf(message.claim)) ?? trained;
  const other = draw(isReaction(message.claim) ? prejudices : draw([trained, sameGroup]));
  const earlier = draw(other.replies);
  // Never the same reply twice in a conversation.
  if (other === message || earlier === reply) return [];
  return [
    { role: "user", content: disturbed(other.text) },
    { role: "assistant", content: earlier },
  ];
}

function conversation(message: Answerable): { messages: Turn[] } {
  const reply = draw(message.replies);
  const said: Turn = { role: "user", content: disturbed(message.text) };
  return { messages: [...before(message, reply), said, { role: "assistant", content: reply }] };
}

const trainedOfClaim = Map.groupBy(trained, ({ claim }) => claim);
function* onePass(): Generator<{ messages: Turn[] }> {
  for (const list of trainedOfClaim.values()) {
    const wanted = Math.max(Number(values.least), Math.min(Number(values.most), list.length));
    for (const message of list) {
      for (let times = Math.floor(wanted / list.length + random()); times > 0; times--) yield conversation(message);
    }
  }
}

const train: { messages: Turn[] }[] = [];
for (let pass = 0; pass < Number(values.passes); pass++) train.push(...onePass());
const validation = messages.filter(isForValidation).map(conversation);

mkdirSync(values.out, { recursive: true });
for (const [name, examples] of Object.entries({ train, validation })) {
  writeFileSync(join(values.out, `${name}.jsonl`), examples.map((one) => `${JSON.stringify(one)}\n`).join(""));
}
const replies = new Set(messages.flatMap((message) => message.replies)).size;
console.log(
  `${messages.length} messages of ${claims.size} claims, ${replies} replies: ` +
    `${train.length} examples to train on, ${validation.length} for validation`,
);
