/** How many attention heads of which size: the same entries in most families. */
import type { ConfigEntries } from "./config-entries.ts";

export interface AttentionHeads {
  hiddenSize: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
}

/** @param headSize where config.json does not say; default hidden size / heads */
export function readHeads(entries: ConfigEntries, headSize?: number): AttentionHeads {
  const hiddenSize = entries.size("hidden_size");
  const heads = entries.size("num_attention_heads");
  const keyValueHeads = entries.size("num_key_value_heads", heads);
  if (heads % keyValueHeads !== 0) {
    entries.conflict(`${heads} attention heads cannot share ${keyValueHeads} key/value heads`);
  }
  const size = headSize ?? hiddenSize / heads;
  if (entries.get("head_dim") == null && headSize === undefined && hiddenSize % heads !== 0) {
    entries.conflict(`hidden_size ${hiddenSize} is no multiple of ${heads} attention heads`);
  }
  const found = entries.size("head_dim", size);
  if (found % 2 !== 0) entries.conflict(`head_dim ${found} must be even for rotary positions`);
  return { hiddenSize, heads, keyValueHeads, headSize: found };
}
