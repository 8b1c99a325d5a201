/** The connections to one Redis, and how to say where it is without saying its password. */
import Bull from "bull";

export type RedisClient = Bull.Queue["client"];

/** Everything of ours in Redis begins with this. */
export const keyPrefix = "rejoinder";

export class RedisUnreachableError extends Error {}

export interface RedisConnection {
  /** For commands; they wait some three seconds for a Redis that is away, then fail. */
  client: RedisClient;
  /** The queue of this name as bull keeps it, on the same connection. */
  queue(name: string): Bull.Queue;
  /** A further connection, for subscriptions. */
  subscriber(): RedisClient;
  /** Lets what was sent be answered, but does not wait for a Redis that is away. */
  close(): Promise<void>;
}

const connectMs = 5000;
const goodbyeMs = 1000;
const longestReconnectMs = 2000;
/** With the waits below, commands fail after about three seconds without a connection. */
const mostRetries = 4;

/** As it may be printed: scheme, host, port and database, without name and password. */
export function describeRedisUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}

function redisOptions(url: string) {
  // Not bull's own reading of the URL: it knows no rediss:// and leaves %-escapes in the password as they are.
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ""),
    port: port === "" ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    ...(username === "" ? {} : { username: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" ? { tls: {} } : {}),
    maxRetriesPerRequest: mostRetries,
    retryStrategy: (times: number) => Math.min(100 * 2 ** times, longestReconnectMs),
  };
}

/** Why jobs could get lost in this Redis; empty when they are safe. */
async function findDangers(client: RedisClient): Promise<string[]> {
  const info = await client.info();
  const value = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "m").exec(info)?.[1];
  const dangers: string[] = [];
  if (value("aof_enabled") === "0") dangers.push("appendonly is off: jobs of the last seconds or minutes die with it");
  const policy = value("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    dangers.push(`maxmemory-policy is ${policy}, not noeviction: it may drop jobs when memory runs short`);
  }
  return dangers;
}

/**
 * @param onError told of lost connections (which are opened again) and of a Redis that may lose jobs
 * @throws RedisUnreachableError with a sentence that names the place and the reason
 */
export async function connectRedis(url: string, onError: (error: unknown) => void): Promise<RedisConnection> {
  const root = new Bull(keyPrefix, { prefix: keyPrefix, redis: redisOptions(url) });
  const { client } = root;
  /** The first says why (a wrong password); later ones are its consequences. */
  let firstError: unknown;
  const opened: RedisClient[] = [client];
  const fail = (error: unknown) => {
    firstError ??= error;
  };
  client.on("error", fail);
  async function close(): Promise<void> {
    if (client.status === "ready") {
      const timer = setTimeout(() => client.disconnect(), goodbyeMs);
      await client.quit().catch(() => undefined);
      clearTimeout(timer);
    }
    for (const connection of opened) connection.disconnect();
  }
  try {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(firstError ?? new Error(`no answer within ${connectMs / 1000} s`)), connectMs);
    });
    try {
      await Promise.race([client.ping(), tooLong]);
    } finally {
      clearTimeout(timer);
    }
    for (const danger of await findDangers(client)) onError(new Error(`Redis at ${describeRedisUrl(url)}: ${danger}`));
  } catch (cause) {
    await close();
    const reason = firstError ?? cause;
    const why = reason instanceof Error ? reason.message || String((reason as NodeJS.ErrnoException).code) : reason;
    throw new RedisUnreachableError(`cannot use Redis at ${describeRedisUrl(url)}: ${why}`, { cause });
  }
  client.off("error", fail).on("error", onError);

  const queues = new Map<string, Bull.Queue>();
  return {
    client,
    queue(name) {
      const known = queues.get(name);
      if (known !== undefined) return known;
      const queue = new Bull(name, { prefix: keyPrefix, createClient: () => client });
      queues.set(name, queue);
      return queue;
    },
    subscriber() {
      // A subscription waits for its Redis as long as it takes.
      const connection = client.duplicate({ maxRetriesPerRequest: null });
      connection.on("error", onError);
      opened.push(connection);
      return connection;
    },
    close,
  };
}
