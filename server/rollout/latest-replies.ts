import type { LoggedReply } from "../store/rollout-queries.ts";

/** More than can end while the log is being read. */
const kept = 256;

/**
 * The replies that ended last. Whoever reads the log while replies go on ending takes from here what came in meanwhile,
 * and knows what to ignore when it is told of a reply that it has read already.
 */
export function createLatestReplies() {
  let replies: LoggedReply[] = [];
  return {
    push(reply: LoggedReply): void {
      replies.push(reply);
      if (replies.length >= 2 * kept) replies = replies.slice(-kept);
    },

    /** What was read, and what had ended by now beside it; and a filter for what is told from now on. */
    complete(read: readonly LoggedReply[], isWanted: (reply: LoggedReply) => boolean) {
      const known = new Set(read.slice(-kept).map((reply) => reply.exchangeId));
      const missed = replies.slice(-kept).filter((reply) => isWanted(reply) && !known.has(reply.exchangeId));
      for (const { exchangeId } of missed) known.add(exchangeId);
      return { all: [...read, ...missed], isNew: ({ exchangeId }: LoggedReply) => !known.has(exchangeId) };
    },
  };
}

export type LatestReplies = ReturnType<typeof createLatestReplies>;
