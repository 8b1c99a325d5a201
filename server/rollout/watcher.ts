/**
 * Takes an adapter away that is beyond its limits: the live one by going back to what was live before, the canary by
 * ending it, and what was live before by barring it, so that nobody goes back to it. Acts through the registry, on every
 * reply and, for flags, on a clock; nobody needs to look. What it knows is read from the log, so that it outlives a
 * restart.
 */

import { inSlices } from "../../engine/in-slices.ts";
import { judgementContext } from "../../reward/annotations/judgement-term.ts";
import { type LivePeriod, liveBefore, livePeriods } from "../adapters/deployment-history.ts";
import { DeploymentRefusedError } from "../adapters/errors.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { loadJudgements } from "../annotations/judgements.ts";
import type { FanOut, Store } from "../ports.ts";
import type { AdapterIdentity, Deployment } from "../protocol/index.ts";
import type { Flag, LoggedReply } from "../store/rollout-queries.ts";
import { tallyFlags } from "./flagged-replies.ts";
import type { LatestReplies } from "./latest-replies.ts";
import type { WatchSettings } from "./settings.ts";
import { createLimits, findBreach, measuresOf, type WatchLimits } from "./watch-limits.ts";
import { chapterLength, createWatchPeriod, type WatchPeriod } from "./watch-period.ts";

export interface WatcherOptions {
  store: Store;
  registry: AdapterRegistry;
  latest: LatestReplies;
  fanOut: FanOut;
  settings: WatchSettings;
  /** How often flags are counted, and what failed is tried again, in milliseconds. */
  everyMs: number;
  now: () => Date;
  onError: (error: unknown) => void;
}

/** An adapter that is watched. */
interface Subject {
  /** Changes when the adapter is put anew where it is. */
  key: string;
  adapter: AdapterIdentity;
  since: string;
  until: string | null;
  period: WatchPeriod;
  limits: WatchLimits;
  isNew: (reply: LoggedReply) => boolean;
  /** What was found; acted upon once, and again only on the clock if that failed. */
  breach: string | null;
}

interface Subjects {
  live: Subject | null;
  canary: Subject | null;
  /** What would be gone back to. */
  before: Subject | null;
}

const watcher = "watcher";
const nameOf = ({ name, version }: AdapterIdentity) => (version === 0 ? "the base model" : `${name}@${version}`);

export function createWatcher(options: WatcherOptions) {
  const { store, registry, latest, fanOut, settings, now, onError } = options;
  let subjects: Subjects = { live: null, canary: null, before: null };
  /** Readings of the log and actions happen one after the other. */
  let turn: Promise<void> = Promise.resolve();

  function inTurn(work: () => Promise<void>): Promise<void> {
    turn = turn.then(work).catch(onError);
    return turn;
  }

  function alert(code: string, message: string): void {
    fanOut.ops("alert", { at: now().toISOString(), code, message });
  }

  /** What the adapter before did last, in as many replies as a chapter has. */
  async function limitsBeside(adapter: AdapterIdentity, period: WatchPeriod, flagged: Subject | null) {
    const last = period.chapters.at(-1);
    if (last === undefined) return createLimits(settings, nameOf(adapter), {});
    const flags = flagged === null ? [] : await store.rollout.flags(adapter.version, flagged);
    return createLimits(settings, nameOf(adapter), measuresOf(last, tallyFlags(period.chapters, flags).at(-1)));
  }

  async function open(
    key: string,
    adapter: AdapterIdentity,
    { since, until }: Pick<LivePeriod, "since" | "until">,
    before: Subject | null,
    newest?: number,
  ): Promise<Subject> {
    const limits =
      before === null
        ? createLimits(settings, "", {})
        : await limitsBeside(before.adapter, await recent(before), before);
    const read = await store.rollout.endedReplies(adapter.version, { since, until }, newest);
    const isWanted = ({ version, at }: LoggedReply) => until === null && version === adapter.version && at >= since;
    const { all, isNew } = latest.complete(read, isWanted);
    return { key, adapter, since, until, period: createWatchPeriod(all), limits, isNew, breach: null };
  }

  async function recent({ adapter, since, until }: Subject): Promise<WatchPeriod> {
    return createWatchPeriod(await store.rollout.endedReplies(adapter.version, { since, until }, chapterLength));
  }

  /** Reads the log anew for adapters that were put somewhere since. */
  async function refresh(): Promise<void> {
    const log = (await registry.deployments()).reverse();
    const periods = livePeriods(log);
    const current = periods.at(-1);
    if (current === undefined) return;
    const key = String(current.begunBy.id);
    if (subjects.live?.key !== key) {
      const mayServe = new Set([0, ...registry.versions().map(({ version }) => version)]);
      const [former] = liveBefore(log, ({ version }) => mayServe.has(version));
      const last = periods.findLast(({ adapter, until }) => until !== null && adapter.version === former?.version);
      const before = last === undefined ? null : await open(`${key} before`, last.adapter, last, null, chapterLength);
      const live = await open(key, current.adapter, current, before);
      subjects = { ...subjects, live, before };
    }
    const trial = registry.trial();
    const canaryKey = trial?.stage === "canary" ? [trial.version, trial.since].join() : null;
    if (subjects.canary?.key !== canaryKey) {
      const canary =
        trial === null || canaryKey === null
          ? null
          : await open(canaryKey, trial, { since: trial.since, until: null }, subjects.live);
      subjects = { ...subjects, canary };
    }
  }

  async function act(subject: Subject, breach: string): Promise<void> {
    const name = nameOf(subject.adapter);
    const { version } = subject.adapter;
    try {
      if (subject === subjects.live) {
        if (version === 0) {
          alert("watch_base", `${name} is live and nothing is left to go back to: ${breach}`);
          return;
        }
        const [last] = (await registry.deployments()).filter(
          ({ action }) => action === "promote" || action === "rollback",
        );
        // Two in a row: perhaps it is not the adapters. Base serves, and the second one is not barred.
        const isSecond = last?.action === "rollback" && last.actor === watcher;
        await registry.revoke(version, isSecond ? "base" : "before", watcher, breach);
        alert(
          isSecond ? "watch_last_resort" : "watch_rolled_back",
          isSecond
            ? `${name}, to which the watcher had gone back, is beyond its limits too; the base model serves: ${breach}`
            : `${name} was rolled back: ${breach}`,
        );
      } else {
        await registry.reject(version, watcher, breach);
        alert(
          "watch_rejected",
          `${name} was taken out of ${subject === subjects.canary ? "canary" : "reach"}: ${breach}`,
        );
      }
    } catch (error) {
      // Somebody else was faster.
      if (error instanceof DeploymentRefusedError) return;
      onError(error);
      alert("watch_failed", `${name} could not be taken away (${String(error)}): ${breach}`);
    }
  }

  function found(subject: Subject, breach: string | null): Promise<void> {
    if (breach === null || subject.breach !== null) return Promise.resolve();
    subject.breach = breach;
    return inTurn(() => act(subject, breach));
  }

  function checkLast(subject: Subject): void {
    const { period, limits } = subject;
    const chapter = period.chapters.at(-1);
    if (chapter === undefined || period.replies < settings.minReplies) return;
    void found(subject, findBreach(measuresOf(chapter), period.chapters.length, limits));
  }

  async function checkFlags(subject: Subject): Promise<void> {
    const { adapter, period, limits } = subject;
    if (period.replies < settings.minReplies) return;
    const find = (flags: readonly Flag[]) => {
      const tallies = tallyFlags(period.chapters, flags);
      return tallies.map((flagRate, index) => findBreach({ flagRate }, index + 1, limits)).find(Boolean) ?? null;
    };
    const flags = await store.rollout.flags(adapter.version, subject);
    if (find(flags) === null) return;
    // Only now, since all judgements have to be read to know which of them look arranged.
    const { setAside } = await inSlices(judgementContext(await loadJudgements(store)));
    void found(subject, find(flags.filter(({ id }) => !setAside.has(id))));
  }

  /** Counts flags, and tries again what failed. */
  async function look(): Promise<void> {
    await inTurn(refresh);
    const { live, canary, before } = subjects;
    for (const subject of [live, canary, before]) {
      if (subject === null) continue;
      if (subject.breach !== null && subject.adapter.version !== 0) await inTurn(() => retry(subject));
      if (subject !== before) checkLast(subject);
      await inTurn(() => checkFlags(subject));
    }
    await turn;
  }

  async function retry(subject: Subject): Promise<void> {
    const isStillThere =
      (subject === subjects.live && registry.live().version === subject.adapter.version) ||
      (subject === subjects.canary && registry.trial()?.version === subject.adapter.version);
    if (isStillThere && subject.breach !== null) await act(subject, subject.breach);
  }

  const clock = settings.enabled ? setInterval(() => void look(), options.everyMs) : undefined;
  clock?.unref();

  return {
    refresh: () => inTurn(refresh),
    look,

    /** After a change; `mismatch` as the probe found it. */
    deployed([deployment]: readonly Deployment[], mismatch: string | null): Promise<void> {
      return inTurn(async () => {
        await refresh();
        if (!settings.enabled || mismatch === null || !settings.revokesOnProbe || deployment === undefined) return;
        const { to } = deployment;
        const subject = [subjects.live, subjects.canary].find((one) => one?.adapter.version === to.version);
        if (subject !== undefined && subject !== null) await act(subject, mismatch);
        else await registry.reject(to.version, watcher, mismatch);
      });
    },

    replyEnded(reply: LoggedReply): void {
      if (!settings.enabled) return;
      const { live, canary } = subjects;
      for (const subject of [live, canary]) {
        if (subject?.adapter.version !== reply.version || !subject.isNew(reply)) continue;
        subject.period.add(reply);
        checkLast(subject);
      }
    },

    /** Latest chapter of what is live and of the canary, for metrics. */
    chapters() {
      const last = (subject: Subject | null) => subject?.period.chapters.at(-1) ?? null;
      return { live: last(subjects.live), canary: last(subjects.canary) };
    },

    close(): Promise<void> {
      clearInterval(clock);
      return turn;
    },
  };
}

export type Watcher = ReturnType<typeof createWatcher>;
