// The load without its noise. What comes at random varies by its root (Poisson), so the figure of a
// short window is nearly always too high or too low, and the highest of many of them always too
// high. A mean over a longer time is calm but late; what exceeds the noise of the short one is no
// noise. So the load is the longer mean, unless the short figure is certainly more, or certainly
// less. Pure.
#pragma once

#include "operator/api/scalable_app.h"

namespace scalableapp::scaling {

// Takes one more figure in, of a window of `window_seconds`, `passed` after the last one. The
// longer mean is of some `calm_seconds`.
void smooth_load(double per_second, double window_seconds, double calm_seconds, seconds passed,
                 api::MetricMemory& memory);

// What it grows by, 1/s each second; 0 unless that is more than noise. At most what doubles the
// load in some 4 s: of a step nobody can say how it goes on.
double load_growth(double per_second, double window_seconds, const api::MetricMemory& memory);

// At least this comes, for scaling up: `per_second` less its noise, or the longer mean.
double certain_load(double per_second, double window_seconds, const api::MetricMemory& memory);

}  // namespace scalableapp::scaling
