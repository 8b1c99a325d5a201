/** Replies of candidate and baseline to the same prompts, in mixed batches of one engine. */
import type { Engine, GenerationResult, SamplingOptions } from "../../engine/types.ts";

export interface Question {
  promptTokens: readonly number[];
  /** Common random numbers: both policies draw from the same stream, so that equal policies give equal replies. */
  seed: number;
}

export interface Answers {
  candidate: GenerationResult;
  baseline: GenerationResult;
}

export interface AnswerOptions {
  /** sha256 of resident adapters; null is the base model. */
  candidate: string | null;
  baseline: string | null;
  sampling: Omit<SamplingOptions, "seed">;
  maxTokens: number;
  /** Questions in work at a time; each is two replies. */
  atOnce: number;
  signal: AbortSignal;
  /** Told after each question. */
  onAnswer: () => void;
}

async function reply(
  engine: Pick<Engine, "generate">,
  { promptTokens, seed }: Question,
  adapter: string | null,
  { sampling, maxTokens, signal }: AnswerOptions,
): Promise<GenerationResult> {
  const request = { promptTokens, adapter, sampling: { ...sampling, seed }, maxTokens, stop: [] };
  const stream = engine.generate(request, { signal });
  for (;;) {
    const step = await stream.next();
    if (step.done) return step.value;
  }
}

/** In the order of the questions. @throws the signal's reason when it aborts */
export async function answer(
  engine: Pick<Engine, "generate">,
  questions: readonly Question[],
  options: AnswerOptions,
): Promise<Answers[]> {
  const answers = new Array<Answers>(questions.length);
  let next = 0;
  const work = async () => {
    for (let i = next++; i < questions.length; i = next++) {
      const question = questions[i] as Question;
      const [candidate, baseline] = await Promise.all([
        reply(engine, question, options.candidate, options),
        reply(engine, question, options.baseline, options),
      ]);
      options.signal.throwIfAborted();
      answers[i] = { candidate, baseline };
      options.onAnswer();
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
  return answers;
}
