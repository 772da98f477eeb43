// SPDX-License-Identifier: Apache-2.0
// The host: runs the plug-in in the vendor's service. It is started as a console program, by systemd, in a container, or
// (built with HostingPackages) as a Windows service.
//
// Configuration: appsettings.json beside the program, environment, command line (`--Jumpgate:Url=…`); a later
// source overrides an earlier one. The vendor's section is ECMConfig. Its secret can come from a file: SRAClientSecretFile.
//
// Exit code: 0 after an ordered stop, 2 for mistakes in the configuration (all of them on standard error), 1 otherwise.
//
// Not here: names of SDK members (src/SdkAdapter.cs).

using BeyondTrust.Integration.ECM.SDK.Plugin;
using Jumpgate.EcmHost;
using Jumpgate.EcmPlugin;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

// The vendor's service waits for a key on a console, unless this variable says that it is in a container.
if (!OperatingSystem.IsWindows())
{
    Environment.SetEnvironmentVariable("DOTNET_RUNNING_IN_CONTAINER", "true");
}

var builder = Host.CreateApplicationBuilder(
    new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppContext.BaseDirectory });
#if WINDOWS_SERVICE
builder.Services.AddWindowsService(options => options.ServiceName = "jumpgate ECM");
#endif
builder.Logging.AddSimpleConsole(options =>
{
    options.SingleLine = true;
    options.UseUtcTimestamp = true;
    options.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
    options.ColorBehavior = Microsoft.Extensions.Logging.Console.LoggerColorBehavior.Disabled;
});

try
{
    var configuration = HostConfiguration.Read(builder.Configuration);
    VendorService.Add(builder, services => new JumpgatePlugin(configuration, PluginLogger.Sink(services)));
    await builder.Build().RunAsync();
    return 0;
}
catch (PluginConfigurationException e)
{
    foreach (var mistake in e.Mistakes)
    {
        Console.Error.WriteLine($"configuration: {mistake}");
    }
    return 2;
}
catch (InvalidOperationException e)
{
    // A type of the vendor's is missing, or its service cannot be made.
    Console.Error.WriteLine($"host: {e.Message}");
    return 1;
}
