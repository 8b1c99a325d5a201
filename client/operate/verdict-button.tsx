import { Button } from "@mantine/core";
import { useState } from "react";
import type { Verdict } from "../../server/protocol/index.ts";
import { VerdictDialog } from "./verdict-dialog.tsx";

/** Whether an adapter passed its gate; opens what was found. */
export function VerdictButton({ verdict }: { verdict: Verdict | null }) {
  const [isOpen, setOpen] = useState(false);
  if (verdict === null) return "–";
  return (
    <>
      <Button size="compact-sm" variant="subtle" color={verdict.passed ? "teal" : "red"} onClick={() => setOpen(true)}>
        {verdict.passed ? "passed" : "failed"}
      </Button>
      {isOpen && <VerdictDialog verdict={verdict} onClose={() => setOpen(false)} />}
    </>
  );
}
