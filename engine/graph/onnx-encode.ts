/** Writes tensor expressions as an ONNX model, weights as external data. */
import { topologicalOrder } from "./autodiff.ts";
import type { OnnxAttribute, OnnxEmitter } from "./onnx-emitter.ts";
import type { OnnxRule } from "./onnx-rules.ts";
import { onnxRules } from "./onnx-rules.ts";
import { elementCodes, type StoredType } from "./onnx-types.ts";
import type { OpAttributes, OpName } from "./op-names.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { Dim, Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** Where a weight's little-endian bytes lie. */
export interface ExternalLocation {
  file: string;
  offset: number;
  length: number;
}

export interface EncodedGraph {
  model: Uint8Array;
  inputNames: readonly string[];
  outputNames: readonly string[];
}

// From onnx.proto: AttributeProto.AttributeType.
const attributeCodes = { float: 1, int: 2, string: 3, ints: 7 } as const;
const irVersion = 10;
const opsets = { "": 21, "com.microsoft": 1 } as const;

function writeAttribute(to: ProtobufWriter, name: string, value: OnnxAttribute): void {
  to.message(5, (attribute) => {
    attribute.string(1, name);
    if (typeof value === "number") attribute.int(3, value).int(20, attributeCodes.int);
    else if (typeof value === "string") attribute.string(4, value).int(20, attributeCodes.string);
    else if ("float" in value) attribute.float(2, value.float).int(20, attributeCodes.float);
    else {
      for (const item of value) attribute.int(8, item);
      attribute.int(20, attributeCodes.ints);
    }
  });
}

function writeValueInfo(to: ProtobufWriter, field: number, name: string, tensor: Tensor): void {
  to.message(field, (info) =>
    info.string(1, name).message(2, (type) =>
      type.message(1, (tensorType) =>
        tensorType.int(1, elementCodes[tensor.type]).message(2, (shape) => {
          for (const dim of tensor.shape) {
            shape.message(1, (d) => (typeof dim === "number" ? d.int(1, dim) : d.string(2, dim)));
          }
        }),
      ),
    ),
  );
}

function bytesOf(data: Float32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function emit<K extends OpName>(op: K, emitter: OnnxEmitter, names: readonly string[], tensor: Tensor): string {
  const rule: OnnxRule<K> = onnxRules[op];
  return rule(emitter, names, tensor.attributes as OpAttributes[K], tensor);
}

/**
 * @param outputs what the graph returns, by name
 * @param locate where each weight's data lies; asked once a weight
 * @throws Error for two different leaves of one name, or a leaf named like an output, or a dimension that no input tells
 */
export function encodeOnnx(
  outputs: Readonly<Record<string, Tensor>>,
  locate: (weightName: string) => ExternalLocation = (name) => {
    throw new Error(`the graph holds a weight, ${name}, but nothing says where its data is`);
  },
): EncodedGraph {
  const order = topologicalOrder(Object.values(outputs));
  const graph = new ProtobufWriter();
  const names = new Map<Tensor, string>();
  const leaves = new Map<string, Tensor>();
  const vectors = new Map<string, string>();
  // Names given from outside; those of the values between must differ.
  const given = new Set(Object.keys(outputs));
  for (const { op, attributes } of order) {
    if (op !== "input" && op !== "weight") continue;
    const { name } = attributes as OpAttributes["input" | "weight"];
    if (Object.hasOwn(outputs, name)) throw new Error(`"${name}" names both a leaf and an output of the graph`);
    given.add(name);
  }
  let counter = 0;
  function fresh(): string {
    const name = `t${counter++}`;
    return given.has(name) ? fresh() : name;
  }

  function addWeight(name: string, location: ExternalLocation, shape: Shape, type: StoredType): void {
    const { file, offset, length } = location;
    addInitializer(name, shape, elementCodes[type], (t) => {
      for (const [key, value] of Object.entries({ location: file, offset, length })) {
        t.message(13, (entry) => entry.string(1, key).string(2, String(value)));
      }
      t.int(14, 1);
    });
  }

  function addInitializer(name: string, shape: Shape, code: number, fill: (tensor: ProtobufWriter) => void): void {
    graph.message(5, (tensor) => {
      for (const dim of shape) tensor.int(1, Number(dim));
      tensor.int(2, code).string(8, name);
      fill(tensor);
    });
  }

  function int64(values: readonly number[]): string {
    const key = values.join(",");
    const known = vectors.get(key);
    if (known !== undefined) return known;
    const name = fresh();
    const data = BigInt64Array.from(values, BigInt);
    addInitializer(name, [values.length], elementCodes.int64, (tensor) => tensor.bytes(9, bytesOf(data)));
    vectors.set(key, name);
    return name;
  }

  /** A one-element vector with the size that a name stands for, read off the first input that has it. */
  function namedDim(name: string): string {
    const known = vectors.get(name);
    if (known !== undefined) return known;
    let result: string;
    const operator = name.includes("+") ? "+" : name.includes("*") ? "*" : null;
    if (operator !== null) {
      const parts = name.split(operator).map((part) => dim(/^\d+$/.test(part) ? Number(part) : part));
      result = parts.reduce((a, b) => addNode(operator === "+" ? "Add" : "Mul", [a, b]));
    } else {
      const source = [...leaves.values()].find((leaf) => leaf.op === "input" && leaf.shape.includes(name));
      if (source === undefined) throw new Error(`no input of the graph tells the size of "${name}"`);
      const axis = source.shape.indexOf(name);
      result = addNode("Shape", [names.get(source) ?? ""], { start: axis, end: axis + 1 });
    }
    vectors.set(name, result);
    return result;
  }

  function dim(value: Dim): string {
    return typeof value === "number" ? int64([value]) : namedDim(value);
  }

  function addNode(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, OnnxAttribute> = {},
    domain = "",
  ): string {
    const output = fresh();
    graph.message(1, (node) => {
      for (const name of inputs) node.string(1, name);
      node.string(2, output).string(4, operator);
      for (const [name, value] of Object.entries(attributes)) writeAttribute(node, name, value);
      if (domain !== "") node.string(7, domain);
    });
    return output;
  }

  function leaf(tensor: Tensor): string {
    if (tensor.op === "constant") {
      const { data, shape } = tensor.attributes as OpAttributes["constant"];
      const name = fresh();
      addInitializer(name, shape, elementCodes[tensor.type], (t) => t.bytes(9, bytesOf(data)));
      return name;
    }
    const { name } = tensor.attributes as OpAttributes["input" | "weight"];
    const before = leaves.get(name);
    if (before !== undefined && before !== tensor) throw new Error(`two different leaves are called "${name}"`);
    leaves.set(name, tensor);
    names.set(tensor, name);
    if (tensor.op === "input") {
      writeValueInfo(graph, 11, name, tensor);
    } else {
      addWeight(name, locate(name), tensor.shape, tensor.type);
    }
    return name;
  }

  function initializer(type: StoredType, shape: readonly number[], data: Uint8Array): string {
    const key = `${type}[${shape.join()}]:${data.join()}`;
    const known = vectors.get(key);
    if (known !== undefined) return known;
    const name = fresh();
    addInitializer(name, shape, elementCodes[type], (tensor) => tensor.bytes(9, data));
    vectors.set(key, name);
    return name;
  }

  const emitter: OnnxEmitter = {
    node: addNode,
    int64,
    float: (value) => initializer("float32", [], bytesOf(Float32Array.of(value))),
    initializer,
    reinterpret: (tensor, type, shape) => {
      const { name } = tensor.attributes as OpAttributes["weight"];
      const key = `${type}[${shape.join()}]@${name}`;
      const known = vectors.get(key);
      if (known !== undefined) return known;
      const view = fresh();
      addWeight(view, locate(name), shape, type);
      vectors.set(key, view);
      return view;
    },
    dims: (shape) => {
      if (shape.every((d): d is number => typeof d === "number")) return int64(shape);
      return shape.length === 1 ? dim(shape[0] as Dim) : addNode("Concat", shape.map(dim), { axis: 0 });
    },
    leaf,
  };

  // Inputs first: sizes may be asked of them by any node.
  const inputs = order.filter((tensor) => tensor.op === "input");
  for (const tensor of [...inputs, ...order.filter((t) => t.op !== "input")]) {
    const operands = tensor.inputs.map((operand) => names.get(operand) ?? "");
    names.set(tensor, emit(tensor.op, emitter, operands, tensor));
  }
  for (const [name, tensor] of Object.entries(outputs)) {
    // An Identity gives each output its public name, also where one expression is returned twice.
    graph.message(1, (node) =>
      node
        .string(1, names.get(tensor) ?? "")
        .string(2, name)
        .string(4, "Identity"),
    );
    writeValueInfo(graph, 12, name, tensor);
  }
  graph.string(2, "rejoinder");
  const model = new ProtobufWriter().int(1, irVersion).string(2, "rejoinder").bytes(7, graph.finish());
  for (const [domain, version] of Object.entries(opsets)) {
    model.message(8, (opset) => opset.string(1, domain).int(2, version));
  }
  return {
    model: model.finish(),
    inputNames: inputs.map((tensor) => (tensor.attributes as OpAttributes["input"]).name),
    outputNames: Object.keys(outputs),
  };
}
