/** A titled part of the operate page. */
import { Alert, Paper, Skeleton, Title } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./operate.module.css";

export interface SectionProps {
  title: string;
  /** Buttons at the title's side. */
  actions?: ReactNode;
  isLoading?: boolean;
  error?: Error | null;
  children: ReactNode;
}

export function Section({ title, actions, isLoading, error, children }: SectionProps) {
  return (
    <Paper withBorder p="lg" component="section" aria-label={title} className={classes.section}>
      <div className={classes.sectionHead}>
        <Title order={2}>{title}</Title>
        {actions}
      </div>
      {error && (
        <Alert color="red" p="xs" mb="sm" role="alert">
          {error.message}
        </Alert>
      )}
      {isLoading ? <Skeleton height="4rem" /> : children}
    </Paper>
  );
}
