// SPDX-License-Identifier: Apache-2.0
// The plug-in's lines in the host's log, under the category "jumpgate".

using Jumpgate.EcmPlugin;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Jumpgate.EcmHost;

internal static class PluginLogger
{
    /// <summary>A sink that writes to the host's log. The plug-in has its own level: the category lets all through.</summary>
    internal static PluginLogSink Sink(IServiceProvider services)
    {
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("jumpgate");
        return (level, line) => logger.Log(
            level switch
            {
                PluginLogLevel.Error => LogLevel.Error,
                PluginLogLevel.Warn => LogLevel.Warning,
                PluginLogLevel.Debug => LogLevel.Debug,
                _ => LogLevel.Information,
            },
            default,
            line,
            null,
            static (text, _) => text);
    }
}
