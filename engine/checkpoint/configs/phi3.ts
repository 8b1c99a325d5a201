/** config.json of Phi-3. */
import { activationNames } from "../../architectures/activations.ts";
import type { Architecture } from "../../architectures/architecture.ts";
import { phi3 } from "../../architectures/phi3.ts";
import { readHeads } from "../attention-heads.ts";
import type { ConfigEntries } from "../config-entries.ts";
import { readRope, ropeSection } from "../rope-config.ts";

export function readPhi3(entries: ConfigEntries): Architecture {
  // Its code has none, whatever the file says.
  entries.must("attention_bias", false);
  const heads = readHeads(entries);
  const contextLength = entries.size("max_position_embeddings", 4096);
  const section = ropeSection(entries);
  // transformers takes YaRN's name in a Phi-3 file for LongRoPE.
  for (const key of ["rope_type", "type"]) if (section?.get(key) === "yarn") section.refuse(key);
  const rope = readRope(entries, section, { headSize: heads.headSize, contextLength });
  const layers = entries.size("num_hidden_layers");
  const window = entries.get("sliding_window") == null ? null : entries.size("sliding_window");
  return phi3({
    ...heads,
    vocabularySize: entries.size("vocab_size"),
    intermediateSize: entries.size("intermediate_size"),
    layers,
    contextLength: rope.contextLength,
    rmsNormEpsilon: entries.real("rms_norm_eps", 1e-5),
    rope,
    activation: entries.choice("hidden_act", activationNames, "silu"),
    windows: Array.from({ length: layers }, () => window),
    tiedEmbeddings: entries.flag("tie_word_embeddings", false),
  });
}
