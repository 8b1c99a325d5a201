import { Anchor, Stack, Text, Title } from "@mantine/core";
import { Link } from "react-router";

export function NotFound() {
  return (
    <Stack align="center" gap="xs" p="xl" mt="10vh">
      <Title order={1}>There is no such page</Title>
      <Text c="dimmed">The address may be mistyped.</Text>
      <Anchor component={Link} to="/">
        To the chat
      </Anchor>
    </Stack>
  );
}
