/** A pair of tokens waiting to be merged: how often it was seen, and the pair as one number. */
export interface HeapEntry {
  priority: number;
  key: number;
}

/** A binary heap that yields the highest priority first and, among equals, the smallest key. */
export class MaxHeap {
  readonly #entries: HeapEntry[] = [];

  push(priority: number, key: number): void {
    const entry = { priority, key };
    let at = this.#entries.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#entries[above];
      if (!parent || !comesBefore(entry, parent)) break;
      this.#entries[at] = parent;
      at = above;
    }
    this.#entries[at] = entry;
  }

  pop(): HeapEntry | undefined {
    const top = this.#entries[0];
    const last = this.#entries.pop();
    if (!last || this.#entries.length === 0) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = this.#entries[below];
      const sibling = this.#entries[below + 1];
      if (child && sibling && comesBefore(sibling, child)) {
        child = sibling;
        below++;
      }
      if (!child || !comesBefore(child, last)) break;
      this.#entries[at] = child;
      at = below;
    }
    this.#entries[at] = last;
    return top;
  }
}

function comesBefore(a: HeapEntry, b: HeapEntry): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.key < b.key);
}
