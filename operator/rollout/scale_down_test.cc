#include "operator/rollout/outliers.h"
