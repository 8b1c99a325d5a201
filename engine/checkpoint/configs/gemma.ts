/** config.json of Gemma 2 and of Gemma 3's text models. */
import { activationNames } from "../../architectures/activations.ts";
import type { Architecture } from "../../architectures/architecture.ts";
import { type GemmaConfig, gemma } from "../../architectures/gemma.ts";
import { readHeads } from "../attention-heads.ts";
import type { ConfigEntries } from "../config-entries.ts";
import { readWindows } from "../layer-windows.ts";
import { type RopeSettings, readRope, ropeSection } from "../rope-config.ts";

type Common = Omit<GemmaConfig, "name" | "rope" | "windowRope" | "queryKeyNorm" | "windows">;

function common(entries: ConfigEntries, contextLength: number): Common {
  if (entries.get("use_bidirectional_attention") != null) entries.must("use_bidirectional_attention", false);
  return {
    ...readHeads(entries, 256),
    vocabularySize: entries.size("vocab_size"),
    intermediateSize: entries.size("intermediate_size"),
    layers: entries.size("num_hidden_layers"),
    contextLength,
    rmsNormEpsilon: entries.real("rms_norm_eps", 1e-6),
    activation: entries.choice("hidden_activation", activationNames, "gelu_pytorch_tanh"),
    attentionBias: entries.flag("attention_bias", false),
    queryScalar: entries.real("query_pre_attn_scalar", 256),
    tiedEmbeddings: entries.flag("tie_word_embeddings", true),
  };
}

/** A cap that null switches off, and that has a default where nothing is said. */
function cap(entries: ConfigEntries, key: string, fallback?: number): number | undefined {
  if (entries.get(key) === null) return undefined;
  return entries.get(key) === undefined && fallback === undefined ? undefined : entries.real(key, fallback);
}

function slidingWindow(entries: ConfigEntries): number | null {
  return entries.get("sliding_window") === null ? null : entries.size("sliding_window", 4096);
}

function wholeHeads(entries: ConfigEntries, rope: RopeSettings, headSize: number): RopeSettings {
  return rope.rotated === headSize ? rope : entries.refuse("partial_rotary_factor");
}

export function readGemma2(entries: ConfigEntries): Architecture {
  const contextLength = entries.size("max_position_embeddings", 8192);
  const config = common(entries, contextLength);
  const { headSize } = config;
  const rope = wholeHeads(entries, readRope(entries, ropeSection(entries), { headSize, contextLength }), headSize);
  const slides = (layer: number) => layer % 2 === 0;
  return gemma({
    ...config,
    name: "Gemma2ForCausalLM",
    contextLength: rope.contextLength,
    rope,
    windowRope: rope,
    queryKeyNorm: false,
    scoreCap: cap(entries, "attn_logit_softcapping", 50),
    logitCap: cap(entries, "final_logit_softcapping", 30),
    windows: readWindows(entries, config.layers, { window: slidingWindow(entries), slides }),
  });
}

export function readGemma3(entries: ConfigEntries): Architecture {
  // transformers reads this entry for Gemma 3 but does not apply it.
  entries.must("attn_logit_softcapping", null);
  const contextLength = entries.size("max_position_embeddings", 131_072);
  const config = common(entries, contextLength);
  const { headSize } = config;
  // Newer files have a section for each kind of layer, older ones scale the layers that see everything.
  const sections = entries.section("rope_parameters");
  const far = sections?.section("full_attention") ?? entries.section("rope_scaling");
  const near = sections?.section("sliding_attention");
  if (sections !== undefined && far === undefined && near === undefined) entries.refuse("rope_parameters");
  const rope = readRope(entries, far, { headSize, contextLength, theta: 1_000_000 });
  const windowRope = readRope(entries, near, { headSize, contextLength, thetaKey: "rope_local_base_freq" });
  const pattern = entries.size("sliding_window_pattern", 6);
  const slides = (layer: number) => (layer + 1) % pattern !== 0;
  return gemma({
    ...config,
    name: "Gemma3ForCausalLM",
    contextLength: Math.min(rope.contextLength, windowRope.contextLength),
    rope: wholeHeads(entries, rope, headSize),
    windowRope: wholeHeads(entries, windowRope, headSize),
    queryKeyNorm: true,
    logitCap: cap(entries, "final_logit_softcapping"),
    windows: readWindows(entries, config.layers, { window: slidingWindow(entries), slides }),
  });
}
