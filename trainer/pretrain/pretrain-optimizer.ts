/** The optimizer of pre-training: Muon for the matrices of the layers, AdamW for embeddings, head and norms. */
import type { Architecture } from "../../engine/architectures/architecture.ts";
import { type AdamState, adamWStep, createAdamState } from "../optimizer/adamw.ts";
import { createOrthogonalizer, nesterov, type Orthogonalizer } from "../optimizer/muon.ts";

export interface PretrainRates {
  matrix: number;
  embedding: number;
  head: number;
  norm: number;
  weightDecay: number;
}

interface MatrixGroup {
  rows: number;
  columns: number;
  names: string[];
  orthogonalizer: Orthogonalizer;
}

export class PretrainOptimizer {
  /** Moments by name: what a checkpoint must keep. Muon's momentum is kept as `m` alone. */
  readonly moments: Map<string, AdamState>;
  private readonly groups: MatrixGroup[];

  private constructor(moments: Map<string, AdamState>, groups: MatrixGroup[]) {
    this.moments = moments;
    this.groups = groups;
  }

  static async create(architecture: Architecture, threads: number): Promise<PretrainOptimizer> {
    const matrices = new Set(architecture.linearModules.map(({ name }) => `${name}.weight`));
    const moments = new Map<string, AdamState>();
    const groups = new Map<string, MatrixGroup>();
    for (const [name, shape] of architecture.parameters) {
      const size = shape.reduce((product, dim) => product * dim, 1);
      if (!matrices.has(name)) {
        moments.set(name, createAdamState(size));
        continue;
      }
      moments.set(name, { m: new Float32Array(size), v: new Float32Array(0) });
      const [rows = 1, columns = 1] = shape;
      const group = groups.get(shape.join()) ?? {
        rows,
        columns,
        names: [],
        orthogonalizer: await createOrthogonalizer(rows, columns, threads),
      };
      group.names.push(name);
      groups.set(shape.join(), group);
    }
    return new PretrainOptimizer(moments, [...groups.values()]);
  }

  /** One step in place. @param step counts from 1; @param schedule multiplies every learning rate */
  async step(
    weights: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    step: number,
    schedule: number,
    rates: PretrainRates,
  ): Promise<void> {
    const momentum = Math.min(0.85 + (0.1 * step) / 300, 0.95);
    for (const group of this.groups) await this.muonStep(group, weights, gradients, momentum, schedule, rates);
    for (const [name, gradient] of gradients) {
      const state = this.moments.get(name);
      const values = weights.get(name);
      if (state === undefined || values === undefined || state.v.length === 0) continue;
      const rate = name.includes("embed_tokens") ? rates.embedding : name.includes("lm_head") ? rates.head : rates.norm;
      adamWStep(values, gradient, state, step, {
        learningRate: rate * schedule,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-10,
        weightDecay: 0,
      });
    }
  }

  private async muonStep(
    { rows, columns, names, orthogonalizer }: MatrixGroup,
    weights: ReadonlyMap<string, Float32Array>,
    gradients: ReadonlyMap<string, Float32Array>,
    momentum: number,
    schedule: number,
    rates: PretrainRates,
  ): Promise<void> {
    const size = rows * columns;
    const directions = new Float32Array(names.length * size);
    names.forEach((name, index) => {
      const gradient = gradients.get(name);
      const state = this.moments.get(name);
      if (gradient === undefined || state === undefined) throw new Error(`no gradient for ${name}`);
      nesterov(gradient, state.m, momentum, directions, index * size);
    });
    const updates = await orthogonalizer.run(directions, names.length);
    const rate = rates.matrix * schedule * Math.sqrt(Math.max(1, rows / columns));
    const keep = 1 - rates.matrix * schedule * rates.weightDecay;
    names.forEach((name, index) => {
      const values = weights.get(name);
      if (values === undefined) throw new Error(`no weights for ${name}`);
      for (let i = 0; i < size; i++) {
        values[i] = (values[i] as number) * keep - rate * (updates[index * size + i] as number);
      }
    });
  }

  async dispose(): Promise<void> {
    for (const { orthogonalizer } of this.groups) await orthogonalizer.dispose();
  }
}
