import { Button, Paper, Text, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import classes from "./annotate.module.css";

/** Asks who is judging; the name goes with every label. */
export function AnnotatorForm({ onName }: { onName: (name: string) => void }) {
  const [name, setName] = useState("");
  return (
    <div className={classes.who}>
      <Paper
        component="form"
        withBorder
        p="lg"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) onName(name.trim());
        }}
      >
        <Title order={1}>Annotate replies</Title>
        <Text c="dimmed" size="sm" mt={4} mb="md">
          Your labels change the reward of the replies in the next training run. You will see hateful text; toxic
          replies are blurred until you ask for them.
        </Text>
        <TextInput
          label="Your name"
          description="Stands beside your labels. It is remembered in this browser."
          value={name}
          maxLength={60}
          autoFocus
          autoComplete="nickname"
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" mt="md" disabled={name.trim() === ""}>
          Begin
        </Button>
      </Paper>
    </div>
  );
}
