/** config.json of GPT-NeoX. */
import { activationNames } from "../../architectures/activations.ts";
import type { Architecture } from "../../architectures/architecture.ts";
import { gptNeox } from "../../architectures/gpt-neox.ts";
import { readHeads } from "../attention-heads.ts";
import type { ConfigEntries } from "../config-entries.ts";
import { readRope, ropeSection } from "../rope-config.ts";

export function readGptNeox(entries: ConfigEntries): Architecture {
  entries.must("num_key_value_heads", null);
  entries.must("head_dim", null);
  entries.must("is_decoder", false);
  const { hiddenSize, heads, headSize } = readHeads(entries);
  const rope = readRope(entries, ropeSection(entries), {
    headSize,
    contextLength: entries.size("max_position_embeddings", 2048),
    thetaKey: "rotary_emb_base",
    partialKey: "rotary_pct",
    partial: 0.25,
  });
  return gptNeox({
    vocabularySize: entries.size("vocab_size"),
    hiddenSize,
    intermediateSize: entries.size("intermediate_size"),
    layers: entries.size("num_hidden_layers"),
    heads,
    headSize,
    contextLength: rope.contextLength,
    layerNormEpsilon: entries.real("layer_norm_eps", 1e-5),
    rope,
    activation: entries.choice("hidden_act", activationNames, "gelu"),
    attentionBias: entries.flag("attention_bias", true),
    parallelResidual: entries.flag("use_parallel_residual", true),
    tiedEmbeddings: entries.flag("tie_word_embeddings", false),
  });
}
