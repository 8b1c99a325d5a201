/** One metric over the steps of a run: what was measured as points, a smoothed line in front. */
import { useComputedColorScheme } from "@mantine/core";
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, TooltipComponent } from "echarts/components";
import { type ECharts, init, use as register } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "react";
import { curveOption } from "./curve-option.ts";
import { metricValue } from "./format.ts";
import classes from "./operate.module.css";
import type { CurvePoint } from "./smoothing.ts";

register([LineChart, ScatterChart, GridComponent, TooltipComponent, CanvasRenderer]);

export function CurveChart({ title, points }: { title: string; points: readonly CurvePoint[] }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const scheme = useComputedColorScheme("light");

  useEffect(() => {
    if (!box.current) return;
    const drawn = init(box.current);
    chart.current = drawn;
    const observer = new ResizeObserver(() => drawn.resize());
    observer.observe(box.current);
    return () => {
      observer.disconnect();
      drawn.dispose();
      chart.current = null;
    };
  }, []);

  useEffect(() => {
    chart.current?.setOption(curveOption(points, scheme));
  }, [points, scheme]);

  const last = points.at(-1);
  const summary = last ? `${metricValue(last[1])} at step ${last[0]}` : "no values yet";
  return (
    <figure className={classes.curve}>
      <figcaption>
        <span>{title}</span>
        <span className={classes.number}>{last && metricValue(last[1])}</span>
      </figcaption>
      <div ref={box} className={classes.canvas} role="img" aria-label={`${title}: ${summary}`} />
    </figure>
  );
}
