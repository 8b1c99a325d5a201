import { Table, VisuallyHidden } from "@mantine/core";
import type { AdapterSummary, Trial } from "../../server/protocol/index.ts";
import { AdapterRow } from "./adapter-row.tsx";
import classes from "./operate.module.css";

export interface AdapterTableProps {
  /** Newest first. */
  adapters: readonly AdapterSummary[];
  trial: Trial | null;
  onPromote: (version: number) => void;
}

export function AdapterTable({ adapters, trial, onPromote }: AdapterTableProps) {
  return (
    <Table.ScrollContainer minWidth={700} mah={420}>
      <Table className={classes.table} verticalSpacing={6}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Version</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Parent</Table.Th>
            <Table.Th>LoRA</Table.Th>
            <Table.Th>Metrics</Table.Th>
            <Table.Th>Made</Table.Th>
            <Table.Th>
              <VisuallyHidden>Actions</VisuallyHidden>
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {adapters.map((adapter) => (
            <AdapterRow
              key={adapter.version}
              adapter={adapter}
              trial={trial}
              onPromote={() => onPromote(adapter.version)}
            />
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
