/** Reverse-mode differentiation of tensor expressions. */
import { type GradientRule, gradientRules } from "./gradient-rules.ts";
import type { OpName } from "./op-names.ts";
import * as ops from "./ops.ts";
import { formatShape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** All nodes that `outputs` depend on, inputs before users. */
export function topologicalOrder(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  // An explicit stack: a deep model is a chain longer than the call stack.
  const stack = outputs.map((tensor) => ({ tensor, expanded: false })).reverse();
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { tensor, expanded } = entry;
    if (expanded) {
      order.push(tensor);
    } else if (!seen.has(tensor)) {
      seen.add(tensor);
      stack.push({ tensor, expanded: true });
      for (const operand of tensor.inputs) if (!seen.has(operand)) stack.push({ tensor: operand, expanded: false });
    }
  }
  return order;
}

/** Sums a gradient over the axes along which its tensor was broadcast. */
function unbroadcast(gradient: Tensor, target: Tensor): Tensor {
  const extra = gradient.shape.length - target.shape.length;
  const axes = gradient.shape.flatMap((dim, axis) =>
    axis < extra || (target.shape[axis - extra] === 1 && dim !== 1) ? [axis] : [],
  );
  if (axes.length > 0) return ops.reshape(ops.reduceSum(gradient, axes, true), target.shape);
  // A rule may answer with a smaller shape that would broadcast, such as a scalar zero.
  return formatShape(gradient.shape) === formatShape(target.shape) ? gradient : ops.expand(gradient, target.shape);
}

function pullBack<K extends OpName>(op: K, node: Tensor, gradient: Tensor): readonly (Tensor | null)[] {
  const rule: GradientRule<K> = gradientRules[op];
  return rule(gradient, node.inputs, node.attributes as Parameters<GradientRule<K>>[2], node);
}

/**
 * d loss / d wanted[i], one expression each, of the shape of wanted[i].
 * Visits only nodes on a path from a wanted tensor to the loss. A wanted tensor without influence gets zeros.
 *
 * @param loss scalar, shape []
 * @throws Error if the loss is no scalar or an op on the path has no gradient for these shapes
 */
export function gradients(loss: Tensor, wanted: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw new Error(`the loss must be a scalar, not ${formatShape(loss.shape)}`);
  const order = topologicalOrder([loss]);
  const leads = new Set<Tensor>(wanted);
  for (const node of order) if (node.inputs.some((operand) => leads.has(operand))) leads.add(node);

  const accumulated = new Map<Tensor, Tensor>([[loss, ops.scalar(1)]]);
  for (const node of order.reverse()) {
    const gradient = accumulated.get(node);
    if (gradient === undefined || !leads.has(node) || node.inputs.length === 0) continue;
    const parts = pullBack(node.op, node, gradient);
    node.inputs.forEach((operand, index) => {
      const part = parts[index];
      if (!leads.has(operand) || part === null || part === undefined) return;
      const shaped = unbroadcast(part, operand);
      const before = accumulated.get(operand);
      accumulated.set(operand, before === undefined ? shaped : ops.add(before, shaped));
    });
  }
  return wanted.map((tensor) => accumulated.get(tensor) ?? ops.zeros(tensor.shape));
}
