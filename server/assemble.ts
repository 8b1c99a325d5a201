/** Puts the parts of a loaded server together: every arrow between folders of `server/` is drawn here. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Router } from "express";
import type { Logger } from "pino";
import type { Server as SocketServer } from "socket.io";
import type { Engine } from "../engine/types.ts";
import { deployInitialAdapter } from "./adapters/first-start.ts";
import { createAdapterRegistry } from "./adapters/registry.ts";
import { createAdapterRoutes } from "./adapters/routes.ts";
import { createBrigadeWatch } from "./annotations/brigade-watch.ts";
import { createAnnotationRoutes } from "./annotations/routes.ts";
import { createFolderArtifacts } from "./artifacts/folder.ts";
import { createChatService } from "./chat/chat-service.ts";
import { createReplyGenerator } from "./chat/reply-generator.ts";
import type { Scorer } from "./chat/scorer.ts";
import type { Config } from "./config.ts";
import { createErasureRoutes } from "./erasure/routes.ts";
import { createErasureService } from "./erasure/service.ts";
import { gateFromConfig } from "./gate/from-config.ts";
import { createGateRoutes } from "./gate/routes.ts";
import { createGateService } from "./gate/service.ts";
import { createExchangeRoutes } from "./http/exchanges.ts";
import { createMetricsRoute } from "./http/metrics.ts";
import { createOpenAiRoutes } from "./http/openai/routes.ts";
import { createPages } from "./http/pages.ts";
import { createPerspectiveRoutes } from "./http/perspective.ts";
import { createStatusRoute } from "./http/status.ts";
import { openQueue } from "./jobs/open-queue.ts";
import { createLineageRoutes } from "./lineage/routes.ts";
import type { Metrics } from "./metrics.ts";
import { EngineChatModel } from "./pipeline/engine-chat-model.ts";
import { createPromptBuilder } from "./pipeline/prompt.ts";
import type { FanOut, Store } from "./ports.ts";
import { createRemoteRunner } from "./remote/remote-runner.ts";
import { createRewardRoutes } from "./rewards/routes.ts";
import { createRescoreService } from "./rewards/service.ts";
import { createRollout } from "./rollout/rollout.ts";
import { serveChatNamespace } from "./sockets/chat-namespace.ts";
import { createFanOut } from "./sockets/fan-out.ts";
import { createTrainingRoutes } from "./training/routes.ts";
import { createTrainingService } from "./training/service.ts";
import type { Rejudge } from "./training/snapshot.ts";
import { createTrainingTriggers } from "./training/triggers.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** How long replies under way may take to end at a shutdown. */
const drainMs = 10_000;

export interface AssembleOptions {
  config: Config;
  version: string;
  store: Store;
  engine: Engine;
  scorer: Scorer;
  /** Recomputes a logged reward from its terms and what annotators have said since. */
  rejudge: Rejudge;
  sockets: SocketServer;
  metrics: Metrics;
  log: Logger;
  /** How long a vanished client may come back to its reply. Default 30 s. */
  graceMs?: number;
  /** How often the watcher counts flags. Default 10 s. */
  watchEveryMs?: number;
}

export interface Assembly {
  routes: Router;
  /** Lets replies under way end, then stops everything that was made here. */
  close(): Promise<void>;
}

export async function assemble(options: AssembleOptions): Promise<Assembly> {
  const { config, version, store, engine, scorer, sockets, metrics, log, graceMs = 30_000 } = options;
  const onError = (error: unknown) => log.error({ err: error }, "something failed in the background");
  const artifacts = createFolderArtifacts(join(config.dataDir, "artifacts"));
  const broadcast = createFanOut(sockets);
  const fanOut: FanOut = {
    ...broadcast,
    ops(event, payload) {
      // Operators may be asleep: what they are warned of is in the log and in the metrics too.
      if ("code" in payload) {
        log.warn({ code: payload.code }, payload.message);
        metrics.alerted(payload.code);
      }
      broadcast.ops(event, payload);
    },
  };

  const { stage, shares } = config.rollout;
  const admitTo = { stage, share: shares[stage] };
  const registry = await createAdapterRegistry({ store, engine, artifacts, fanOut, admitTo, onError });
  const shippedFolder = join(config.modelDir, "adapters");
  await deployInitialAdapter({ store, registry, shippedFolder, adapter: config.adapter });

  const runsFolder = join(config.dataDir, "runs");
  const { queue, redis, lineage } = await openQueue(config, store, onError);
  const runner =
    config.trainer === "here" || redis === null
      ? undefined
      : createRemoteRunner({
          queue,
          client: redis.client,
          projectFolder: root,
          modelFolder: config.modelDir,
          modelSha256: engine.model.sha256,
          cacheDir: config.cacheDir,
          onNote: (note) => log.warn(note),
        });
  const gate = gateFromConfig(config, engine.model, {
    store,
    registry,
    artifacts,
    rewardVersion: scorer.version,
    runner,
  });
  const gates = createGateService({ queue, registry, gate, gatesFolder: join(config.dataDir, "gates") });
  const training = await createTrainingService({
    runner,
    store,
    registry,
    artifacts,
    queue,
    lineage,
    fanOut,
    runsFolder,
    modelFolder: config.modelDir,
    quantization: config.quantization,
    cacheDir: config.cacheDir,
    trainerEntry: join(root, "trainer", "worker.ts"),
    trainerThreads: config.threads,
    rewardVersion: scorer.version,
    rewardPath: config.reward,
    rejudge: options.rejudge,
    gate,
    holdoutShare: config.holdoutShare,
  });
  const triggers = await createTrainingTriggers({
    store,
    training,
    queue,
    lineage,
    cron: config.retrainCron,
    minExchanges: config.retrainMinExchanges,
    onError,
  });

  const rollout = await createRollout({
    store,
    registry,
    engine,
    scorer,
    fanOut,
    metrics,
    settings: config.rollout,
    maxConcurrent: config.maxConcurrent,
    watchEveryMs: options.watchEveryMs ?? 10_000,
    onError,
  });
  const brigades = createBrigadeWatch({ store, fanOut, onError });

  const prompts = createPromptBuilder({ engine, systemPrompt: config.systemPrompt });
  const replies = createReplyGenerator({
    exchanges: store.exchanges,
    adapters: registry,
    chatModel: new EngineChatModel({ engine }),
    scorer,
    capacity: config.maxConcurrent + config.maxQueue,
    graceMs,
    report(report) {
      metrics.replyEnded(report);
      const { error, scoringError, toxicity: _, ...facts } = report;
      if (error !== null) log.error({ ...facts, err: error }, "a reply was cut");
      else if (scoringError !== null) log.error({ ...facts, err: scoringError }, "a reply could not be scored");
      else log.debug(facts, "reply ended");
      triggers.logChanged();
    },
    ended: (reply) => rollout.replyEnded(reply),
  });
  const erasure = createErasureService({
    store,
    artifacts,
    fanOut,
    runsFolder,
    training,
    forgetReplies: (owner) => replies.forget(owner),
  });
  await erasure.resume();
  const { consentDefault, maxMessageChars } = config;
  const chat = createChatService({ exchanges: store.exchanges, replies, prompts, consentDefault });
  serveChatNamespace(sockets.of("/chat"), { chat, maxMessageChars, onError });
  metrics.watchEngine(engine, () => registry.live().version);

  const routes = Router();
  const { id, architecture, parameters, quantization } = engine.model;
  routes.use(
    createStatusRoute(async () => ({
      version,
      model: { id, architecture, parameters, quantization, device: config.device },
      adapter: registry.live(),
      trial: rollout.trial(),
      reward: { name: scorer.name, version: scorer.version },
      training: await training.status(),
    })),
    createOpenAiRoutes({
      engine,
      adapters: registry,
      prompts,
      replies,
      consentDefault,
      maxMessageChars,
      startedAt: new Date(),
    }),
    createPerspectiveRoutes(scorer, maxMessageChars),
    createExchangeRoutes(store),
    createAnnotationRoutes({ store, watch: brigades, judged: triggers.logChanged }),
    createRewardRoutes(createRescoreService({ store, queue, scorer })),
    createLineageRoutes(store),
    createErasureRoutes(erasure),
    createAdapterRoutes(registry, shares),
    createGateRoutes(gates),
    createTrainingRoutes(training),
    createMetricsRoute(metrics.registry),
    createPages(join(root, "dist", "client")),
  );

  return {
    routes,
    async close() {
      triggers.close();
      brigades.close();
      await replies.close(drainMs);
      await rollout.close();
      await queue.close();
      await registry.settled();
    },
  };
}
