/** The one place that touches onnxruntime: an encoded graph becomes something that can be run. */
import * as ort from "onnxruntime-node";
import { type ExternalLocation, encodeOnnx } from "../graph/onnx-encode.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Device } from "../types.ts";

export interface HostTensor {
  data: Float32Array | Float16Array | Int8Array | BigInt64Array;
  shape: readonly number[];
}

export type Feeds = Readonly<Record<string, HostTensor>>;

/** Where a graph's weights lie: in buffers, in files of one folder, or in both. */
export interface WeightSource {
  locate: (weightName: string) => ExternalLocation;
  /** Weight bytes by the file name that `locate` gives them. */
  buffers?: Readonly<Record<string, Uint8Array>>;
  /** Folder of the files that are in no buffer. They are mapped, not read. */
  folder?: string;
}

export interface SessionOptions extends Partial<WeightSource> {
  /** Where it runs; operators that a device lacks run on the processor. Default "cpu". */
  device?: Device;
  /** Threads of one operator. Default: what the runtime chooses, one a physical core. */
  threads?: number;
  /** Waiting threads spin for work: faster alone, harmful to neighbours. Default false. */
  spin?: boolean;
  /**
   * From the second run of the same shapes on, memory is taken in one block as the first run showed it; what that run
   * took stays held beside the block. For large runs, false: memory is then what one run needs. Default true.
   */
  planMemory?: boolean;
}

export interface GraphSession<Output extends string> {
  /**
   * Runs the graph on the calling thread, which is blocked meanwhile. Inputs are not copied; outputs are fresh.
   * @param wanted the outputs to be returned, each of which costs a copy; all where nothing is said
   * @throws Error naming a missing or superfluous input
   */
  run<Wanted extends Output = Output>(feeds: Feeds, wanted?: readonly Wanted[]): Promise<Record<Wanted, HostTensor>>;
  dispose(): Promise<void>;
}

function toOrt(name: string, { data, shape }: HostTensor): ort.Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  if (size !== data.length) {
    throw new Error(`input ${name}: shape [${shape.join(", ")}] holds ${size} values, its data ${data.length}`);
  }
  if (data instanceof Float16Array) return halfTensor(data, shape);
  if (data instanceof Int8Array) return new ort.Tensor("int8", data, shape);
  return data instanceof Float32Array ? new ort.Tensor("float32", data, shape) : new ort.Tensor("int64", data, shape);
}

/**
 * The runtime's binding reads half precision from 16-bit whole numbers only, which its Tensor class turns into a
 * Float16Array where the language has one. So the bits are put into their place once it is made.
 */
function halfTensor({ buffer, byteOffset, length }: Float16Array, shape: readonly number[]): ort.Tensor {
  const bits = new Uint16Array(buffer, byteOffset, length);
  return Object.assign(new ort.Tensor("float16", bits, shape), { cpuData: bits });
}

export async function createSession<Output extends string>(
  outputs: Readonly<Record<Output, Tensor>>,
  options: SessionOptions = {},
): Promise<GraphSession<Output>> {
  const { model, inputNames, outputNames } = encodeOnnx(outputs, options.locate);
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [options.device ?? "cpu"],
    graphOptimizationLevel: "all",
    enableMemPattern: options.planMemory ?? true,
    logSeverityLevel: 3,
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    externalData: Object.entries(options.buffers ?? {}).map(([path, data]) => ({ path, data })),
    extra: {
      session: {
        intra_op: { allow_spinning: options.spin === true ? "1" : "0" },
        ...(options.folder === undefined ? {} : { model_external_initializers_file_folder_path: options.folder }),
      },
    },
  });
  const known = new Set(inputNames);
  return {
    async run<Wanted extends Output>(feeds: Feeds, wanted: readonly Wanted[] = outputNames as Wanted[]) {
      const given: Record<string, ort.Tensor> = {};
      for (const name of inputNames) {
        const value = feeds[name];
        if (value === undefined) throw new Error(`the graph needs the input ${name}, which was not given`);
        given[name] = toOrt(name, value);
      }
      const extra = Object.keys(feeds).filter((name) => !known.has(name));
      if (extra.length > 0) throw new Error(`the graph has no input called ${extra.join(", ")}`);
      const results = await session.run(given, wanted);
      const entries = wanted.map((name): [string, HostTensor] => {
        const tensor = results[name];
        if (tensor === undefined || !(tensor.data instanceof Float32Array || tensor.data instanceof BigInt64Array)) {
          throw new Error(`the graph returned no usable ${name}`);
        }
        return [name, { data: tensor.data, shape: tensor.dims }];
      });
      return Object.fromEntries(entries) as Record<Wanted, HostTensor>;
    },
    dispose: () => session.release(),
  };
}

/** An output's numbers as float32. @throws Error if it holds something else */
export function floats(tensor: HostTensor): Float32Array {
  if (!(tensor.data instanceof Float32Array)) throw new Error("expected a float32 tensor");
  return tensor.data;
}
