/**
 * Does the relevance term tell the reply to a message from the reply to another one?
 *
 *     node reward/train/relevance/evaluate.ts --data DIR [--model FOLDER]
 *
 * On the validation and test parts of the CONAN family, from which nothing was learnt: the area under the ROC curve of
 * real pairs against the same messages with replies to others, and with replies to others about the same group.
 */
import { parseArgs } from "node:util";
import { conversations, loadCounterNarratives } from "../../../datasets/counter-narratives.ts";
import { loadEmbeddedSimilarity } from "../../relevance/embedded-similarity.ts";
import { loadEncoderSimilarity } from "../../relevance/encoder-similarity.ts";
import { areaUnderCurve, mean } from "../metrics.ts";
import { seededRandom } from "../random.ts";

const { values: flags } = parseArgs({ options: { data: { type: "string" }, model: { type: "string" } } });
if (flags.data === undefined) throw new Error("usage: evaluate.ts --data DIR [--model FOLDER]");

const { similarity } =
  flags.model === undefined
    ? loadEmbeddedSimilarity("models/relevance-small")
    : await loadEncoderSimilarity(flags.model);

const dialogues = loadCounterNarratives(flags.data);
const targets = new Map(dialogues.flatMap(({ target, turns }) => turns.map(({ content }) => [content, target])));
const pairs = conversations(dialogues)
  .filter(({ source, split }) => split !== "train" && source !== "gab" && source !== "intent-conan")
  .map(({ messages, reply }) => ({
    prompt: messages.at(-1)?.content ?? "",
    reply,
    target: targets.get(reply)?.trim().toLowerCase() ?? "",
  }));
const random = seededRandom(1);
const others = pairs.map((pair) => pick(pairs.filter(({ prompt }) => prompt !== pair.prompt)));
const kin = pairs.map((pair) =>
  pick(pairs.filter(({ prompt, target }) => prompt !== pair.prompt && target === pair.target)),
);

const own = await similarity.ofPairs(pairs);
await report("another message", others);
await report("another message about the same group", kin);
await similarity.dispose();

function pick<T>(from: readonly T[]): T | undefined {
  return from[Math.floor(random.uniform() * from.length)];
}

async function report(name: string, replies: readonly ({ reply: string } | undefined)[]): Promise<void> {
  const places = [...replies.keys()].filter((i) => replies[i] !== undefined);
  const wrong = await similarity.ofPairs(
    places.map((i) => ({ prompt: pairs[i]?.prompt ?? "", reply: replies[i]?.reply ?? "" })),
  );
  const right = places.map((i) => own[i] as number);
  const middle = [...right].sort((a, b) => a - b)[right.length >> 1] ?? 0;
  const figures = [areaUnderCurve(right, wrong), mean(right), middle, mean(wrong)].map((figure) => figure.toFixed(3));
  console.log(
    `${places.length} pairs against replies to ${name}: AUC ${figures[0]}; ` +
      `similarity mean ${figures[1]}, median ${figures[2]}, of the others ${figures[3]}`,
  );
}
