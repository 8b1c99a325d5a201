/** Judging logged replies, one after the other and by keyboard. */
import { useLocalStorage } from "@mantine/hooks";
import { AnnotationDesk } from "./annotation-desk.tsx";
import { AnnotatorForm } from "./annotator-form.tsx";

export function AnnotatePage() {
  const [annotator, setAnnotator] = useLocalStorage({
    key: "rejoinder.annotator",
    defaultValue: "",
    getInitialValueInEffect: false,
  });
  if (annotator === "") return <AnnotatorForm onName={setAnnotator} />;
  return <AnnotationDesk key={annotator} annotator={annotator} onChangeAnnotator={() => setAnnotator("")} />;
}
