// SPDX-License-Identifier: Apache-2.0
// The types of the vendor's host, as far as they are publicly known. Our own declarations, never shipped. The service
// made here connects to no site: it asks the plug-in for its capabilities and its health, and says so in the log.

using BeyondTrust.Integration.ECM.SDK.Plugin;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace BeyondTrust.Integration.ECM.SDK;

public class ECMConfig
{
    public string? SRASiteHostname { get; set; }
    public string? SRAClientId { get; set; }
    public string? SRAClientSecret { get; set; }
}

public class ECMLoggerFactory
{
    private static ILoggerFactory? loggers;

    public ECMLoggerFactory(ILoggerFactory factory) => loggers = factory;

    public static ILogger CreateLogger<T>() =>
        (loggers ?? throw new InvalidOperationException("the logger factory must be made before every other service")).CreateLogger<T>();
}

public class ECMServiceFactory(IOptions<ECMConfig> config, IECMPlugin plugin)
{
    public IHostedService CreateECMService() => new Service(config.Value, plugin);

    private sealed class Service(ECMConfig config, IECMPlugin plugin) : BackgroundService
    {
        private readonly ILogger logger = ECMLoggerFactory.CreateLogger<Service>();

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            var secret = config.SRAClientSecret?.Length ?? 0;
#pragma warning disable CA1848 // a stub: nothing here is a hot path
            logger.LogWarning(
                "stub of the vendor's service: site {Site} client {Client} secret of {Length} characters; nothing is connected",
                config.SRASiteHostname, config.SRAClientId, secret);
            var capabilities = await plugin.GetPluginCapabilitiesAsync();
            var health = await plugin.PerformHealthCheckAsync();
            logger.LogInformation(
                "capabilities {Capabilities} health {Health}", capabilities.IsSuccess, health.ResultValue?.IsHealthy ?? false);
#pragma warning restore CA1848
        }
    }
}
