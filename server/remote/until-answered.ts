import { TaskTakenOverError } from "./task-fence.ts";

const pauseMs = 1000;

/** Does it again while it fails (Redis is away) and the signal does not say that it no longer matters. */
export async function untilAnswered<Answer>(signal: AbortSignal, action: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (signal.aborted || error instanceof TaskTakenOverError) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}
