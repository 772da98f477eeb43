// SPDX-License-Identifier: Apache-2.0
// The host's configuration: the plug-in's section, and the keys that the vendor's service needs. All mistakes at once.

using Jumpgate.EcmPlugin;
using Microsoft.Extensions.Configuration;

namespace Jumpgate.EcmHost;

internal static class HostConfiguration
{
    /// <summary>Reads the section of the plug-in, and puts the secret of the vendor's section into its place.</summary>
    /// <exception cref="PluginConfigurationException">With every mistake in either section.</exception>
    internal static PluginConfiguration Read(IConfigurationManager configuration)
    {
        var mistakes = new List<string>();
        var vendor = configuration.GetSection(VendorService.Section);
        TakeSecret(configuration, vendor, mistakes);
        foreach (var key in VendorService.Keys)
        {
            if (string.IsNullOrWhiteSpace(vendor[key]))
            {
                var file = key == VendorService.SecretKey ? $" ({VendorService.SecretFileKey} may name a file that holds it)" : "";
                mistakes.Add($"{VendorService.Section}:{key}: is missing{file}");
            }
        }
        PluginConfiguration? made = null;
        try
        {
            made = PluginConfiguration.Read(configuration.GetSection(PluginConfiguration.Section).GetChildren()
                .Select(child => new KeyValuePair<string, string?>(child.Key, child.Value)));
        }
        catch (PluginConfigurationException e)
        {
            mistakes.AddRange(e.Mistakes.Select(mistake => $"{PluginConfiguration.Section}:{mistake}"));
        }
        return mistakes.Count == 0 ? made! : throw new PluginConfigurationException(mistakes);
    }

    private static void TakeSecret(IConfigurationManager configuration, IConfigurationSection vendor, List<string> mistakes)
    {
        var path = vendor[VendorService.SecretFileKey];
        if (string.IsNullOrWhiteSpace(path))
        {
            return;
        }
        try
        {
            configuration[$"{VendorService.Section}:{VendorService.SecretKey}"] = File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            mistakes.Add($"{VendorService.Section}:{VendorService.SecretFileKey}: {path} cannot be read: {e.Message}");
        }
    }
}
