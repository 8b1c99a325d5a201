/** config.json of GPT-2. */
import { activationNames } from "../../architectures/activations.ts";
import type { Architecture } from "../../architectures/architecture.ts";
import { gpt2 } from "../../architectures/gpt2.ts";
import type { ConfigEntries } from "../config-entries.ts";

export function readGpt2(entries: ConfigEntries): Architecture {
  entries.must("add_cross_attention", false);
  const hiddenSize = entries.size("n_embd", 768);
  const heads = entries.size("n_head", 12);
  if (hiddenSize % heads !== 0) entries.conflict(`n_embd ${hiddenSize} is no multiple of n_head ${heads}`);
  return gpt2({
    vocabularySize: entries.size("vocab_size"),
    hiddenSize,
    intermediateSize: entries.size("n_inner", 4 * hiddenSize),
    layers: entries.size("n_layer", 12),
    heads,
    contextLength: entries.size("n_positions", 1024),
    layerNormEpsilon: entries.real("layer_norm_epsilon", 1e-5),
    activation: entries.choice("activation_function", activationNames, "gelu_new"),
    scaleAttention: entries.flag("scale_attn_weights", true),
    scaleByLayer: entries.flag("scale_attn_by_inverse_layer_idx", false),
    tiedEmbeddings: entries.flag("tie_word_embeddings", true),
  });
}
