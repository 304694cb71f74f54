#include "operator/plugin/commands.h"
namespace scalableapp::plugin { Runnable explain_command() { return {.command={.name="explain",.summary="x"}}; } }
