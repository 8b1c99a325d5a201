/**
 * A chat server in memory behind a link that loses, repeats, delays and reorders, for tests of the chat session. It
 * keeps the contract: one exchange a `clientMessageId`, tokens numbered from 0, `resume` replays from an index.
 */
import type {
  Ack,
  AdapterIdentity,
  DoneEvent,
  FeedbackRequest,
  MessageAck,
  MessageRequest,
  WireError,
} from "../../../server/protocol/index.ts";
import type { ChatTransport, TransportListener } from "../chat-transport.ts";
import type { Clock } from "../clock.ts";

/** What the link does with one thing it carries; a delay is in milliseconds and lets later things overtake. */
export type Fate = { kind: "deliver" } | { kind: "lose" } | { kind: "repeat" } | { kind: "delay"; ms: number };

export interface ServerExchange {
  id: string;
  conversationId: string;
  request: MessageRequest;
  produced: number;
  stopped: boolean;
  rating: number;
}

export interface UnreliableServerOptions {
  clock: Clock;
  /** The reply to every message. */
  tokens: readonly string[];
  msPerToken?: number;
  /** Used up one by one by what travels, requests and events alike; afterwards the link is perfect. */
  fates?: readonly Fate[];
}

export const servedAdapter: AdapterIdentity = { name: "rejoinder", version: 3, sha256: "9f2c1ab4".repeat(8) };
const noAnswer = new Error("No answer came.");

export class UnreliableServer implements ChatTransport {
  readonly exchanges: ServerExchange[] = [];
  readonly resumes: { exchangeId: string; fromIndex: number }[] = [];
  /** Answered to every message instead of taking it in. */
  refusal: WireError | null = null;
  refuseFeedback = false;
  readonly #clock: Clock;
  readonly #tokens: readonly string[];
  readonly #msPerToken: number;
  readonly #fates: Fate[];
  #listener: TransportListener | undefined;
  #online = false;
  /** Counts connections: what a lost connection still carried never arrives. */
  #connection = 0;

  constructor(options: UnreliableServerOptions) {
    this.#clock = options.clock;
    this.#tokens = options.tokens;
    this.#msPerToken = options.msPerToken ?? 10;
    this.#fates = [...(options.fates ?? [])];
  }

  connect(): void {
    if (this.#online) return;
    this.#online = true;
    this.#connection += 1;
    this.#listener?.connection("online");
  }

  disconnect(): void {
    if (!this.#online) return;
    this.#online = false;
    this.#connection += 1;
    this.#listener?.connection("connecting");
  }

  announce(adapter: AdapterIdentity): void {
    this.#listener?.adapter(adapter);
  }

  open(listener: TransportListener): void {
    this.#listener = listener;
  }

  send(request: MessageRequest): Promise<MessageAck> {
    return this.#request(() => {
      if (this.refusal) return { ok: false, error: this.refusal };
      const known = this.exchanges.find((exchange) => exchange.request.clientMessageId === request.clientMessageId);
      const exchange = known ?? this.#start(request);
      return { ok: true, exchangeId: exchange.id, conversationId: exchange.conversationId };
    });
  }

  stop(exchangeId: string): Promise<Ack> {
    return this.#request(() => {
      this.#exchange(exchangeId).stopped = true;
      return { ok: true };
    });
  }

  resume(exchangeId: string, fromIndex: number): Promise<Ack> {
    return this.#request(() => {
      this.resumes.push({ exchangeId, fromIndex });
      const exchange = this.#exchange(exchangeId);
      for (let index = fromIndex; index < exchange.produced; index += 1) this.#emitToken(exchange, index);
      if (this.#isDone(exchange)) this.#emitDone(exchange);
      return { ok: true };
    });
  }

  feedback(request: FeedbackRequest): Promise<Ack> {
    return this.#request(() => {
      if (this.refuseFeedback) return { ok: false, error: { code: "not_found", message: "No such exchange." } };
      this.#exchange(request.exchangeId).rating = request.value;
      return { ok: true };
    });
  }

  dispose(): void {
    this.#listener = undefined;
  }

  #start(request: MessageRequest): ServerExchange {
    const number = this.exchanges.length + 1;
    const conversationId = request.conversationId ?? `conversation-${number}`;
    const exchange = { id: `exchange-${number}`, conversationId, request, produced: 0, stopped: false, rating: 0 };
    this.exchanges.push(exchange);
    this.#produce(exchange);
    return exchange;
  }

  #produce(exchange: ServerExchange): void {
    this.#clock.after(this.#msPerToken, () => {
      if (this.#isDone(exchange)) {
        this.#emitDone(exchange);
        return;
      }
      exchange.produced += 1;
      this.#emitToken(exchange, exchange.produced - 1);
      this.#produce(exchange);
    });
  }

  #isDone(exchange: ServerExchange): boolean {
    return exchange.stopped || exchange.produced === this.#tokens.length;
  }

  #emitToken(exchange: ServerExchange, index: number): void {
    const text = this.#tokens[index] ?? "";
    this.#emit(() => this.#listener?.token({ exchangeId: exchange.id, index, text }));
  }

  #emitDone(exchange: ServerExchange): void {
    const event: DoneEvent = {
      exchangeId: exchange.id,
      text: this.#tokens.slice(0, exchange.produced).join(""),
      finishReason: exchange.stopped ? "cancelled" : "stop",
      tokens: exchange.produced,
      adapter: servedAdapter,
      toxicity: { prompt: 0.8, reply: 0.1, attributes: {} },
    };
    this.#emit(() => this.#listener?.done(event));
  }

  #exchange(exchangeId: string): ServerExchange {
    const found = this.exchanges.find((exchange) => exchange.id === exchangeId);
    if (!found) throw new Error(`The test's server knows no exchange ${exchangeId}.`);
    return found;
  }

  #emit(deliver: () => void): void {
    if (!this.#online) return;
    const connection = this.#connection;
    const arrive = () => {
      if (connection === this.#connection) deliver();
    };
    const fate = this.#nextFate();
    if (fate.kind === "lose") return;
    this.#clock.after(fate.kind === "delay" ? fate.ms : 1, arrive);
    if (fate.kind === "repeat") this.#clock.after(5, arrive);
  }

  /** The request may be lost on the way there, or its answer on the way back. */
  #request<Answer>(handle: () => Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const connection = this.#connection;
      const there = this.#nextFate();
      if (!this.#online || there.kind === "lose") {
        reject(noAnswer);
        return;
      }
      this.#clock.after(there.kind === "delay" ? there.ms : 1, () => {
        if (connection !== this.#connection) {
          reject(noAnswer);
          return;
        }
        const answer = handle();
        const back = this.#nextFate();
        this.#clock.after(back.kind === "delay" ? back.ms : 1, () => {
          if (back.kind === "lose" || connection !== this.#connection) reject(noAnswer);
          else resolve(answer);
        });
      });
    });
  }

  #nextFate(): Fate {
    return this.#fates.shift() ?? { kind: "deliver" };
  }
}
