/** Rotary positions as config.json has them: `rope_parameters`, or `rope_theta` and `rope_scaling` in older files. */
import { type RopeScaling, rotaryFrequencies } from "../architectures/rotary-frequencies.ts";
import type { ConfigEntries } from "./config-entries.ts";

export interface RopeSettings {
  theta: number;
  /** Leading dimensions of each head that are rotated. */
  rotated: number;
  scaling?: RopeScaling;
  /** Tokens up to which the frequencies are those of transformers. */
  contextLength: number;
}

interface RopeDefaults {
  headSize: number;
  contextLength: number;
  /** Default 10,000, and `rope_theta`. */
  theta?: number;
  thetaKey?: string;
  /** Share of a head that is rotated: default 1, and `partial_rotary_factor`. */
  partial?: number;
  partialKey?: string;
}

const types = ["default", "linear", "dynamic", "llama3", "yarn", "longrope", "su"] as const;

function yarn(rope: ConfigEntries, originalContext: number, contextLength: number): RopeScaling {
  const factor = rope.real("factor", contextLength / originalContext);
  const magnitude = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const scales = ["mscale", "mscale_all_dim"].map((key) => (rope.get(key) ? rope.real(key) : null));
  const [own, all] = scales;
  const attention = own && all ? magnitude(own) / magnitude(all) : magnitude(1);
  return {
    type: "yarn",
    factor,
    originalContext,
    betaFast: rope.real("beta_fast", 32),
    betaSlow: rope.real("beta_slow", 1),
    truncate: rope.flag("truncate", true),
    attention: rope.real("attention_factor", attention),
  };
}

const isPositive = (value: unknown): value is number => typeof value === "number" && value > 0;

/** The divisors for short contexts: those for longer ones would change the cached keys of what was read before. */
function longrope(rope: ConfigEntries, rotated: number, originalContext: number, contextLength: number): RopeScaling {
  const factors = rope.list("short_factor", rotated / 2, "positive numbers", isPositive) ?? rope.refuse("short_factor");
  const factor = rope.real("factor", contextLength / originalContext);
  const attention = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContext));
  return { type: "longrope", factors, attention: rope.real("attention_factor", attention) };
}

/**
 * Scaling by sequence length (dynamic, LongRoPE's long factors) changes the keys that are already cached, so such models
 * are read with the frequencies of short sequences and a context that ends where those do.
 */
export function readRope(
  entries: ConfigEntries,
  rope: ConfigEntries | undefined,
  defaults: RopeDefaults,
): RopeSettings {
  const { headSize, contextLength, thetaKey = "rope_theta", partialKey = "partial_rotary_factor" } = defaults;
  /** What stands in the section goes before what stands outside it. */
  const either = (inner: string, outer: string, fallback: number) =>
    rope !== undefined && rope.get(inner) != null ? rope.real(inner) : entries.real(outer, fallback);
  const theta = either("rope_theta", thetaKey, defaults.theta ?? 10_000);
  const partial = either("partial_rotary_factor", partialKey, defaults.partial ?? 1);
  const rotated = Math.floor(headSize * partial);
  if (rotated < 2 || rotated % 2 !== 0 || rotated > headSize) {
    entries.conflict(`${partialKey} ${partial} of a head of ${headSize} leaves ${rotated} dimensions to rotate`);
  }
  const settings: RopeSettings = { theta, rotated, contextLength };
  const scaled = rope === undefined ? settings : withScaling(entries, rope, settings);
  const { frequencies, attention } = rotaryFrequencies(rotated, theta, scaled.scaling);
  if (!Number.isFinite(attention) || !frequencies.every(Number.isFinite)) {
    entries.conflict(`rotary positions of theta ${theta} scaled by ${JSON.stringify(scaled.scaling)} are not finite`);
  }
  return scaled;
}

/** What `rope_type` asks for on top of plain frequencies. */
function withScaling(entries: ConfigEntries, rope: ConfigEntries, settings: RopeSettings): RopeSettings {
  const { rotated, contextLength } = settings;

  const typeKey = rope.get("rope_type") == null ? "type" : "rope_type";
  const original = () =>
    entries.get("original_max_position_embeddings") != null
      ? entries.size("original_max_position_embeddings")
      : rope.size("original_max_position_embeddings", contextLength);
  switch (rope.choice(typeKey, types, "default")) {
    case "default":
    case "dynamic":
      return settings;
    case "linear":
      return { ...settings, scaling: { type: "linear", factor: rope.real("factor") } };
    case "llama3": {
      const [lowFrequency, highFrequency] = [rope.real("low_freq_factor"), rope.real("high_freq_factor")];
      if (lowFrequency >= highFrequency) rope.refuse("high_freq_factor", "it must be above low_freq_factor");
      const scaling = { factor: rope.real("factor"), lowFrequency, highFrequency, originalContext: original() };
      return { ...settings, scaling: { type: "llama3", ...scaling } };
    }
    case "yarn":
      return { ...settings, scaling: yarn(rope, original(), contextLength) };
    case "longrope":
    case "su": {
      const scaling = longrope(rope, rotated, original(), contextLength);
      return { ...settings, scaling, contextLength: Math.min(contextLength, original()) };
    }
  }
}

/** Where the one kind of rotary positions stands that most models have. */
export function ropeSection(entries: ConfigEntries): ConfigEntries | undefined {
  return entries.section("rope_scaling") ?? entries.section("rope_parameters");
}
