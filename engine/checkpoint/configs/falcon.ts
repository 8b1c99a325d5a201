/** config.json of Falcon. */
import { activationNames } from "../../architectures/activations.ts";
import type { Architecture } from "../../architectures/architecture.ts";
import { type FalconNorms, falcon } from "../../architectures/falcon.ts";
import type { ConfigEntries } from "../config-entries.ts";
import { readRope, ropeSection } from "../rope-config.ts";

/** Older files call the numbers of layers and heads as Bloom does. */
function either(entries: ConfigEntries, key: string, older: string): number {
  return entries.get(key) == null && entries.get(older) != null ? entries.size(older) : entries.size(key);
}

function norms(entries: ConfigEntries, newDecoder: boolean): FalconNorms {
  const parallel = entries.flag("parallel_attn", true);
  const key = "num_ln_in_parallel_attn";
  const count = entries.get(key) ?? (newDecoder ? 2 : 1);
  if (count !== 1 && count !== 2) return entries.refuse(key);
  if (newDecoder && !parallel) return entries.refuse("parallel_attn", "new_decoder_architecture is parallel");
  if (!newDecoder && count === 2) return entries.refuse(key, "it belongs to new_decoder_architecture");
  if (!parallel) return "sequential";
  return count === 2 ? "separate" : "shared";
}

export function readFalcon(entries: ConfigEntries): Architecture {
  if (entries.flag("alibi", false)) entries.refuse("alibi", "rotary positions alone are built");
  const hiddenSize = entries.size("hidden_size");
  const heads = either(entries, "num_attention_heads", "n_head");
  if (hiddenSize % heads !== 0)
    entries.conflict(`hidden_size ${hiddenSize} is no multiple of ${heads} attention heads`);
  const headSize = hiddenSize / heads;
  if (headSize % 2 !== 0) entries.conflict(`a head size of ${headSize} must be even for rotary positions`);

  const newDecoder = entries.flag("new_decoder_architecture", false);
  const multiQuery = entries.flag("multi_query", true);
  const asMany = newDecoder ? entries.size("num_kv_heads", heads) : heads;
  const keyValueHeads = multiQuery && !newDecoder ? 1 : asMany;
  if (heads % keyValueHeads !== 0) {
    entries.conflict(`${heads} attention heads cannot share ${keyValueHeads} key/value heads`);
  }
  const contextLength = entries.size("max_position_embeddings", 2048);
  const rope = readRope(entries, ropeSection(entries), { headSize, contextLength });
  if (rope.rotated !== headSize) entries.refuse("partial_rotary_factor");
  return falcon({
    vocabularySize: entries.size("vocab_size"),
    hiddenSize,
    intermediateSize: entries.size("ffn_hidden_size", 4 * hiddenSize),
    layers: either(entries, "num_hidden_layers", "n_layer"),
    heads,
    keyValueHeads,
    headSize,
    contextLength: rope.contextLength,
    layerNormEpsilon: entries.real("layer_norm_epsilon", 1e-5),
    rope,
    activation: entries.choice("activation", activationNames, "gelu"),
    bias: entries.flag("bias", false),
    norms: norms(entries, newDecoder),
    tiedEmbeddings: entries.flag("tie_word_embeddings", true),
  });
}
