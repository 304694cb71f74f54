#include "operator/plugin/commands.h"
namespace scalableapp::plugin { Runnable backtest_command() { return {.command={.name="backtest",.summary="x"}}; } }
