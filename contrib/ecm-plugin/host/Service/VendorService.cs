// SPDX-License-Identifier: Apache-2.0
// The vendor's service among the services of the host. Its types are found at run time (SdkAdapter.cs), so that the host
// does not depend on which of the vendor's assemblies has them.

using System.Reflection;
using BeyondTrust.Integration.ECM.SDK.Plugin;
using Jumpgate.EcmPlugin;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Jumpgate.EcmHost;

internal static class VendorService
{
    internal static string Section => EcmHosting.Section;

    internal static IReadOnlyList<string> Keys => EcmHosting.Keys;

    internal static string SecretKey => EcmHosting.SecretKey;

    internal static string SecretFileKey => EcmHosting.SecretKey + "File";

    /// <summary>Registers the plug-in, the vendor's logging, settings and service.</summary>
    internal static void Add(HostApplicationBuilder builder, Func<IServiceProvider, IECMPlugin> plugin)
    {
        var types = EcmHosting.Types();
        builder.Services.AddSingleton(types.LoggerFactory);
        Configure(builder.Services, types.Configuration, builder.Configuration.GetSection(Section));
        builder.Services.AddSingleton(services =>
        {
            // The vendor's classes log through a static factory: it must be there before they are.
            services.GetRequiredService(types.LoggerFactory);
            return plugin(services);
        });
        builder.Services.AddSingleton(types.ServiceFactory);
        builder.Services.AddSingleton(services =>
        {
            services.GetRequiredService(types.LoggerFactory);
            return (IHostedService)EcmHosting.MakeService(services.GetRequiredService(types.ServiceFactory));
        });
    }

    // services.Configure<T>(section) for a type that is known at run time only.
    private static void Configure(IServiceCollection services, Type type, IConfigurationSection section) =>
        typeof(OptionsConfigurationServiceCollectionExtensions)
            .GetMethod(
                nameof(OptionsConfigurationServiceCollectionExtensions.Configure),
                BindingFlags.Public | BindingFlags.Static,
                [typeof(IServiceCollection), typeof(IConfiguration)])!
            .MakeGenericMethod(type)
            .Invoke(null, [services, section]);
}
