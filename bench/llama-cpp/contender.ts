/** llama.cpp's part of a comparison, by node-llama-cpp. */
import { type Contender, promptOf, shortPrompt } from "../contender.ts";
import type { Llama, LlamaSequence } from "./install.ts";

const greedy = { temperature: 0, yieldEogToken: true };

async function nextOf(tokens: AsyncGenerator<number, void, void>): Promise<void> {
  const { done } = await tokens.next();
  if (done) throw new Error("llama.cpp ended a sequence that should go on");
}

async function* started(sequence: LlamaSequence, prompt: readonly number[]) {
  await sequence.clearHistory();
  yield* sequence.evaluate(prompt, greedy);
}

/** Contexts are made once for each number of streams; a sequence has room for `contextSize` tokens. */
export async function llamaCppContender(
  llama: Llama,
  modelPath: string,
  { threads, contextSize }: { threads: number; contextSize: number },
): Promise<Contender> {
  const model = await llama.loadModel({ modelPath });
  const contexts = new Map<number, Promise<LlamaSequence[]>>();
  const make = async (streams: number): Promise<LlamaSequence[]> => {
    const context = await model.createContext({ sequences: streams, contextSize, batchSize: 512, threads });
    return Array.from({ length: streams }, () => context.getSequence());
  };
  const sequences = (streams: number): Promise<LlamaSequence[]> => {
    const known = contexts.get(streams) ?? make(streams);
    contexts.set(streams, known);
    return known;
  };
  return {
    name: "llama.cpp",
    async prefill(promptTokens) {
      const [sequence] = await sequences(1);
      if (sequence === undefined) throw new Error("a context has at least one sequence");
      await sequence.clearHistory();
      const began = performance.now();
      const tokens = sequence.evaluate(promptOf(promptTokens, 0), greedy);
      await nextOf(tokens);
      const seconds = (performance.now() - began) / 1000;
      await tokens.return();
      return seconds;
    },
    async decode(streams, steps) {
      const all = (await sequences(streams)).map((sequence, index) => started(sequence, promptOf(shortPrompt, index)));
      await Promise.all(all.map(nextOf));
      const began = performance.now();
      // Sequences that ask in the same turn of the event loop are decoded in one batch.
      for (let step = 0; step < steps; step++) await Promise.all(all.map(nextOf));
      const seconds = (performance.now() - began) / 1000;
      await Promise.all(all.map((tokens) => tokens.return()));
      return seconds;
    },
    dispose: () => llama.dispose(),
  };
}
