/** Frequencies of rotary position embeddings, and how they are stretched for contexts longer than those trained on. */

export type RopeScaling =
  /** Positions divided by a factor (Chen et al. 2023). */
  | { type: "linear"; factor: number }
  /** Llama 3.1: long wavelengths divided by a factor, short ones kept, a ramp between (Grattafiori et al. 2024). */
  | { type: "llama3"; factor: number; lowFrequency: number; highFrequency: number; originalContext: number }
  /** YaRN (Peng et al. 2023): the ramp is over dimensions, and cosines and sines are scaled by `attention`. */
  | {
      type: "yarn";
      factor: number;
      originalContext: number;
      betaFast: number;
      betaSlow: number;
      truncate: boolean;
      attention: number;
    }
  /** LongRoPE (Ding et al. 2024) with one set of divisors, one a frequency. */
  | { type: "longrope"; factors: readonly number[]; attention: number };

export interface RotaryFrequencies {
  /** Radians a token [d/2]. */
  frequencies: readonly number[];
  /** What cosines and sines are multiplied by. */
  attention: number;
}

function llama3(frequency: number, scaling: Extract<RopeScaling, { type: "llama3" }>): number {
  const { factor, lowFrequency, highFrequency, originalContext } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalContext / highFrequency) return frequency;
  if (wavelength > originalContext / lowFrequency) return frequency / factor;
  const smooth = (originalContext / wavelength - lowFrequency) / (highFrequency - lowFrequency);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** Which share of its original value each frequency loses, from 0 for the fastest to 1. */
function yarnRamp(size: number, theta: number, scaling: Extract<RopeScaling, { type: "yarn" }>): number[] {
  const { betaFast, betaSlow, originalContext, truncate } = scaling;
  // The dimension whose frequency turns this often within the original context.
  const dimension = (rotations: number) =>
    (size * Math.log(originalContext / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [from, to] = [dimension(betaFast), dimension(betaSlow)];
  const low = Math.max(truncate ? Math.floor(from) : from, 0);
  const high = Math.min(truncate ? Math.ceil(to) : to, size - 1);
  const width = high === low ? 0.001 : high - low;
  return Array.from({ length: size / 2 }, (_, i) => Math.min(1, Math.max(0, (i - low) / width)));
}

/** theta^(-2i/d), scaled. @param size d, the rotated dimensions of a head */
export function rotaryFrequencies(size: number, theta: number, scaling?: RopeScaling): RotaryFrequencies {
  const plain = Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
  if (scaling === undefined) return { frequencies: plain, attention: 1 };
  switch (scaling.type) {
    case "linear":
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), attention: 1 };
    case "llama3":
      return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), attention: 1 };
    case "yarn": {
      const ramp = yarnRamp(size, theta, scaling);
      const frequencies = plain.map((frequency, i) => {
        const share = ramp[i] as number;
        return (share * frequency) / scaling.factor + (1 - share) * frequency;
      });
      return { frequencies, attention: scaling.attention };
    }
    case "longrope": {
      const frequencies = plain.map((frequency, i) => frequency / (scaling.factors[i] as number));
      return { frequencies, attention: scaling.attention };
    }
  }
}
