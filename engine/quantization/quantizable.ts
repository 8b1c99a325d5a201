/** Which weights of an architecture are multiplied or looked up: its own graph says it. */
import type { Architecture, LinearModule } from "../architectures/architecture.ts";
import { scoringExpressions } from "../architectures/scoring-graph.ts";
import * as ops from "../graph/ops.ts";

export interface Quantizable {
  /** Linear layers, the head among them, in the order of use. */
  modules: readonly LinearModule[];
  /** Names of tables that rows are looked up in, such as embeddings. */
  tables: readonly string[];
}

export function quantizable(architecture: Architecture): Quantizable {
  const modules = new Map<string, LinearModule>();
  const tables = new Set<string>();
  scoringExpressions(architecture, {
    weight: (name, shape) => ops.weight(name, shape),
    project(module) {
      modules.set(module.name, module);
      return null;
    },
    lookUp(name) {
      tables.add(name);
      return null;
    },
  });
  return { modules: [...modules.values()], tables: [...tables] };
}
