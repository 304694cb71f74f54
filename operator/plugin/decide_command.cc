#include "operator/plugin/commands.h"
namespace scalableapp::plugin { Runnable decide_command() { return {.command={.name="decide",.summary="x"}}; } }
